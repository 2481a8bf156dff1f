"""A journal's bytes give back what was written, however they are cut or spoiled; nothing is guessed."""

import json

import msgspec
import pytest
from builders import example_runs
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight import journal
from preflight.failures import UsageFailure
from preflight.judge import evidence_of, judge
from preflight.model.journal import Begin, End, Heard, Line, Seen

RUN = example_runs.failing()
BEGIN = Begin(
    tool_version="1",
    run_id=RUN.run_id,
    started=RUN.started,
    strict=RUN.strict,
    banner=RUN.banner,
    environment=RUN.environment,
    plan=RUN.plan,
)
FACTS = [Heard(at_ms=float(at), vantage=one.vantage, facts=one) for at, one in enumerate(RUN.vantages)]
SEEN = [Seen(at_ms=100.0 + at, vantage=one.vantage, observation=one) for at, one in enumerate(RUN.observations)]
END = End(finished=RUN.finished, duration_ms=RUN.duration_ms)
LINES: list[Line] = [BEGIN, *FACTS, *SEEN, END]
WHOLE = b"".join(map(journal.encode, LINES))


def test_a_whole_journal_is_judged_as_the_run_that_wrote_it():
    found = journal.read(WHOLE, "x")
    assert (found.ended, found.unreadable, found.torn) == (True, 0, False)
    again = msgspec.structs.replace(found.evidence, notices=RUN.notices)
    assert judge(again) == judge(evidence_of(RUN))


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(min_value=len(journal.encode(BEGIN)), max_value=len(WHOLE) - 1))
def test_a_journal_that_breaks_off_anywhere_gives_every_whole_line_and_is_interrupted(size: int):
    data = WHOLE[:size]
    found = journal.read(data, "x")
    whole = [json.loads(line) for line in data.split(b"\n")[1:-1]]
    ended = any(line["line"] == "end" for line in whole) or size == len(WHOLE) - 1
    assert found.evidence.interrupted is not ended
    assert found.unreadable == 0
    seen = {one["observation"]["task"] + one["vantage"] for one in whole if one["line"] == "observation"}
    got = {one.task + one.vantage for one in found.evidence.observations}
    assert got >= seen
    assert len(got - seen) <= 1, "a last line without its newline may be whole"
    for verdict in judge(found.evidence).verdicts:
        assert verdict.task is None or verdict.task + verdict.vantage in got or verdict.status != "pass"


def test_the_times_of_a_cut_journal_are_the_lines_own():
    cut = journal.read(b"".join(map(journal.encode, [BEGIN, *FACTS, *SEEN])), "x").evidence
    assert cut.started == RUN.started
    assert cut.duration_ms == SEEN[-1].at_ms
    assert cut.finished > cut.started
    assert cut == journal.read(b"".join(map(journal.encode, [BEGIN, *FACTS, *SEEN])), "x").evidence


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\x00\x00\x00\x00",
        b"{}",
        b'{"line":"observation"}',
        b'{"line":"begin"}',
        b"[" * 5000,
        b"\xff\xfe",
        journal.encode(BEGIN).strip(),
    ],
)
def test_lines_that_cannot_be_read_are_counted_and_told(spoiled: bytes):
    data = b"".join([journal.encode(BEGIN), spoiled + b"\n", *map(journal.encode, [*FACTS, *SEEN]), spoiled + b"\n"])
    found = journal.read(data, "x")
    assert found.unreadable == 2
    assert len(found.evidence.observations) == len(SEEN)
    assert "2 unreadable lines left out" in found.evidence.notices[0]


def test_a_torn_last_line_is_told():
    found = journal.read(WHOLE[:-20], "x")
    assert (found.torn, found.unreadable) == (True, 0)
    assert found.summary.endswith("a torn last line left out")


def test_a_vantage_that_was_never_heard_is_there_and_unknown():
    found = journal.read(journal.encode(BEGIN), "x").evidence
    assert [one.vantage for one in found.vantages] == list(RUN.plan.vantages)
    deciding = [one for one in judge(found).verdicts if one.decides and one.status != "skipped"]
    assert {(one.status, one.cause) for one in deciding} <= {("unknown", "check.interrupted")}
    assert deciding


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (journal.encode(BEGIN)[:200], "breaks off in its first line"),
        (b'{"line":"begin","journal_version":1}\n', "first line is broken"),
        (b'{"line":"begin","journal_version":9,"plan":7}\n', "journal of version 9"),
        (b'{"line":"begin","journal_version":"x"}\n', "first line is broken"),
    ],
)
def test_a_first_line_that_cannot_be_used_is_said(data: bytes, told: str):
    assert journal.is_journal(data)
    with pytest.raises(UsageFailure, match=told):
        journal.read(data, "x")


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=300))
def test_any_bytes_behind_the_first_line_never_raise(data: bytes):
    assert journal.read(journal.encode(BEGIN) + data, "x").evidence.observations == ()


def test_a_journal_on_disk_is_safe_to_look_at_and_loses_no_character(tmp_path):
    from preflight.cli.journal import Journal
    from preflight.render import text

    hostile = example_runs.hostile()
    begin = msgspec.structs.replace(BEGIN, environment=hostile.environment, plan=hostile.plan)
    kept = Journal(tmp_path)
    kept.begin(begin)
    for one in (*hostile.vantages, *hostile.observations):
        kept.add(one.vantage, one)
    kept.end(END)
    kept.release()
    assert kept.kept is not None
    data = kept.kept.read_bytes()
    assert text.clean(data.decode()) == data.decode()
    found = journal.read(data, "x").evidence
    assert found.observations == hostile.observations
    assert found.environment == hostile.environment
    kept.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_never_replaces_that_of_an_earlier_run(tmp_path):
    from preflight.cli.journal import Journal

    for number in (1, 2, 3):
        kept = Journal(tmp_path)
        kept.begin(BEGIN)
        kept.release()
        assert len(list(tmp_path.glob("run-*.journal.jsonl"))) == number


def test_a_run_file_is_no_journal():
    from preflight.render import json as run_json

    assert not journal.is_journal(run_json.render(RUN).encode())
