"""The agent's lines survive what logs do to them."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from preflight.model.observation import Observation, ResolverFacts, VantageFacts
from preflight.model.vocabulary import ProbeName
from preflight.vantages import protocol

FACTS = VantageFacts(
    vantage="pod/user1",
    tool_version="1",
    resolver=ResolverFacts(consumer="coredns"),
    started="2026-11-22T00:00:00.000Z",
)
SEEN = Observation(
    task="tcp:db:5432",
    vantage="pod/user1",
    probe=ProbeName.TCP,
    target="db:5432",
    started="2026-11-22T00:00:00.000Z",
    duration_ms=1.0,
    deadline_ms=1000.0,
)
LINES = [
    protocol.encode("r1", 0, protocol.Hello(facts=FACTS)),
    protocol.encode("r1", 1, protocol.Seen(observation=SEEN)),
    protocol.encode("r1", 2, protocol.End(observations=1, facts=FACTS)),
]


def read(lines: list[bytes]) -> tuple[list[object], protocol.Reader]:
    reader = protocol.Reader("r1")
    return [message for line in lines for message in reader.feed(line)], reader


def test_what_was_written_is_read_back():
    messages, reader = read(LINES)
    assert messages == [
        protocol.Hello(facts=FACTS),
        protocol.Seen(observation=SEEN),
        protocol.End(observations=1, facts=FACTS),
    ]
    assert (reader.foreign, reader.broken, reader.repeated, reader.missing) == (0, 0, 0, 0)


def test_foreign_lines_between_are_counted_and_ignored():
    messages, reader = read([b"istio-proxy: ready\n", LINES[0], b"\n", LINES[1], b"Traceback ...\n", LINES[2]])
    assert len(messages) == 3
    assert reader.foreign == 2


def test_a_prefix_that_the_log_adds_does_not_hide_a_line():
    messages, _ = read([b"2026-11-22T00:00:00Z stdout F " + LINES[1]])
    assert messages == [protocol.Seen(observation=SEEN)]


def test_repeated_lines_count_once_and_lost_lines_are_known():
    messages, reader = read([LINES[0], LINES[0], LINES[2]])
    assert len(messages) == 2
    assert (reader.repeated, reader.missing) == (1, 1)


def test_lines_of_another_run_are_foreign():
    _, reader = read([protocol.encode("other", 0, protocol.Hello(facts=FACTS))])
    assert reader.foreign == 1


def test_a_cut_line_is_broken_not_guessed_at():
    messages, reader = read([LINES[1][:-20]])
    assert messages == []
    assert reader.broken == 1


@given(st.binary(max_size=400))
def test_any_bytes_behind_the_sentinel_never_raise(data: bytes):
    reader = protocol.Reader("r1")
    list(reader.feed(protocol.SENTINEL + data))
    assert reader.broken + reader.foreign + reader.repeated <= 1


def test_a_line_holds_no_newline_inside():
    hostile = msgspec.structs.replace(SEEN, tool_error="a\nb\r\n@preflight@ {}")
    assert protocol.encode("r1", 0, protocol.Seen(observation=hostile)).count(b"\n") == 1


def test_a_first_line_of_another_protocol_is_recognised_and_what_follows_is_not_relied_on():
    hello = protocol.encode("r1", 0, protocol.Hello(protocol=7, facts=FACTS))
    messages, reader = read([hello, *LINES[1:]])
    assert messages == []
    assert reader.stranger == protocol.Stranger(tool_version="1", protocol=7)
    assert reader.broken == 3


def test_a_first_line_that_does_not_decode_still_says_whose_it_is():
    told = b'{"run_id": "r1", "seq": 0, "message": {"type": "hello", "protocol": 1, "facts": {"tool_version": "%s"}}}'
    messages, reader = read([b"@preflight@ " + told % (b"9.9.9" * 20)])
    assert (messages, reader.broken) == ([], 1)
    assert reader.stranger is not None
    assert len(reader.stranger.tool_version) == 40
    _, other = read([b"@preflight@ " + (told % b"9.9.9").replace(b"r1", b"r2")])
    assert other.stranger is None
    _, later = read([b"@preflight@ " + (told % b"9.9.9").replace(b"hello", b"seen")])
    assert later.stranger is None


def test_versions_that_understand_each_other_are_no_strangers():
    messages, reader = read(LINES)
    assert len(messages) == 3
    assert reader.stranger is None
