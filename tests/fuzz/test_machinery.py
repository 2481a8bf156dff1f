"""The parts of the fuzzer that could make it prove nothing: mutators, peers, counts, and the list of what was found."""

import contextlib
import json
import random
import tomllib
from pathlib import Path

import msgspec
import pytest

from fuzz import corpus, driver, memory, onward, record
from fuzz.memory import Peer
from fuzz.mutators import MUTATORS
from fuzz.table import TARGETS
from fuzz.target import Depth, Target
from fuzz.targets.tls import split
from preflight.model.vocabulary import ProbeName
from preflight.vantages.protocol import SENTINEL

HERE = Path(__file__).parent


def blind(data, most):
    return (data + b"!")[:most]


def changes(name, data, count=200, most=20_000):
    return [MUTATORS[name](data, most, random.Random(seed), blind) for seed in range(count)]


def test_a_json_mutation_is_mostly_json_and_mostly_another_one():
    data = corpus.files("run-file")[0].read_bytes()
    changed = changes("json", data, most=200_000)
    parsed = [one for one in changed if _is_json(one)]
    assert len(parsed) > 150
    assert len({json.dumps(json.loads(one)) for one in parsed} - {json.dumps(json.loads(data))}) > 100


def _is_json(data):
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def test_a_toml_mutation_is_mostly_toml():
    data = corpus.files("catalogue")[0].read_bytes()
    assert sum(_is_toml(one) for one in changes("toml", data)) > 120


def _is_toml(data):
    try:
        tomllib.loads(data.decode())
    except ValueError:
        return False
    return True


def test_a_der_mutation_mostly_keeps_its_outer_length():
    data = next(path.read_bytes() for path in corpus.files("certificate"))
    whole = [one for one in changes("der", data) if split(one) == [one] and one[:2] == b"\x30\x82"]
    assert len(whole) > 100
    assert len(set(whole)) > 80


def test_a_mutation_of_lines_keeps_the_sentinel_of_most():
    data = corpus.files("agent-lines")[0].read_bytes()
    assert sum(SENTINEL in one for one in changes("lines", data)) > 150


@pytest.mark.parametrize("name", MUTATORS)
def test_a_mutation_never_exceeds_its_room_and_survives_any_input(name):
    for data in (
        b"",
        b"\x00",
        b"[",
        b"{}",
        b"[[]]",
        b"0",
        b"\x30\x84\xff",
        b"a = 1",
        b"x = " + b"[" * 4_000,
        b"\xff" * 50,
        SENTINEL + b"{}",
    ):
        assert all(len(one) <= 60 for one in changes(name, data, count=40, most=60))


async def test_a_peer_says_everything_in_its_pieces_and_ends_as_told():
    for manner in range(8):
        peer, heard = Peer(b"abcdefghij" * 20, manner), b""
        with pytest.raises(ConnectionResetError) if manner & 4 else contextlib.nullcontext():
            while data := await peer.recv(1_000):
                heard += data
        assert heard == b"abcdefghij" * 20


def test_a_defect_in_any_report_is_noticed():
    """The checks behind the reports fail when they should; otherwise no run of the fuzzer would mean anything."""
    with pytest.raises(AssertionError, match="terminal"):
        onward._READERS["console"]("\x1b[2J")
    with pytest.raises(AssertionError, match="markup"):
        onward._READERS["html"]("<p onclick='x'>")
    with pytest.raises(AssertionError, match="markup"):
        onward._READERS["html"]("<blink>")
    with pytest.raises(AssertionError, match="script"):
        onward._READERS["html"]("<script></script><script></script>")
    with pytest.raises(SyntaxError):
        onward._READERS["junit"]("<a>")
    with pytest.raises(ValueError):
        onward._READERS["json"]("{")


def test_every_probe_that_speaks_http_has_a_conversation():
    spoken = {target.run.args[0] for name, target in TARGETS.items() if name.startswith("service-")}
    assert spoken == set(ProbeName) - {ProbeName.TCP, ProbeName.PEERS, ProbeName.CLUSTER_DNS, ProbeName.PULL}


def test_an_input_goes_the_same_way_every_time_and_some_go_all_the_way():
    seen = []
    target = Target(name="x", parses="", enters="", run=lambda data, depth: seen.append((data, depth)))
    inputs = [str(number).encode() for number in range(5_000)]
    for _ in range(2):
        for data in inputs:
            target(data)
    assert seen[:5_000] == seen[5_000:]
    assert {depth for _, depth in seen} == set(Depth)


WHOLE = record.Outcome(
    target="http1",
    executions=10,
    seconds=2.0,
    cpu_seconds=1.0,
    edges=7,
    features=9,
    new_inputs=1,
    slowest_cpu_ms=3.0,
    slowest_bytes=5,
    peak_rss_mb=70,
    date="2026-11-25",
    commit="a",
    version="1",
    atheris="3",
    command="c",
)


def outcome(**changed):
    return msgspec.structs.replace(WHOLE, **changed)


def test_the_record_adds_runs_of_a_commit_up_and_keeps_commits_apart(tmp_path):
    file = tmp_path / "record.json"
    record.write(outcome(), file)
    record.write(outcome(executions=5, slowest_cpu_ms=9.0, slowest_bytes=1, findings=("crash-1",)), file)
    record.write(outcome(commit="b", executions=100, date="2026-11-26"), file)
    first, second = record.read(file)
    assert (first.executions, first.slowest_cpu_ms, first.slowest_bytes, first.findings) == (15, 9.0, 1, ("crash-1",))
    assert (second.commit, second.executions) == ("b", 100)
    assert record.totals([first, second])["http1"].executions == 115
    assert "115" in record.summary([first, second])


LOG = """\
INFO: Seed: 1
#12\tINITED cov: 300 ft: 400 corp: 2/1Kb exec/s: 0 rss: 70Mb
#900\tNEW    cov: 321 ft: 455 corp: 3/1Kb exec/s: 900 rss: 71Mb
artifact_prefix='x/'; Test unit written to x/crash-06840c13cdcb2d2c791937f8facb934aa9a06251
stat::number_of_executed_units: 913
stat::new_units_added:          17
stat::peak_rss_mb:              75
"""


@pytest.mark.parametrize(("log", "executions"), [(LOG, 913), (LOG.partition("stat::")[0], 900), ("", 0)])
def test_counts_are_read_from_what_libfuzzer_prints_also_when_it_was_cut_short(log, executions):
    told = driver._outcome(TARGETS["http1"], log, {"cpu_ms": 1.5, "input": "00ff"}, (2.0, 1.0), "c")
    assert (told.executions, told.slowest_bytes) == (executions, 2)
    assert told.findings == (("crash-06840c13cdcb2d2c791937f8facb934aa9a06251",) if log else ())
    assert (told.edges, told.features) == ((321, 455) if log else (0, 0))


def test_every_finding_is_told_and_every_one_told_is_kept():
    told = tomllib.loads((HERE / "findings.toml").read_text("utf-8"))
    kept = {(name, path.name) for name in TARGETS for path in corpus.findings(name).glob("*")}
    assert {(target, name) for target, inputs in told.items() for name in inputs} == kept
    for inputs in told.values():
        for one in inputs.values():
            assert one["by"] in ("fuzzer", "properties", "reading")
            assert one["defect"]
            assert one["mended"]


def test_the_record_is_of_the_targets_that_there_are_and_of_ten_million_executions():
    entries = record.read()
    assert {entry.target for entry in entries} == set(TARGETS)
    assert sum(entry.executions for entry in entries) >= 10_000_000
    assert max(entry.peak_rss_mb for entry in entries) < driver.RSS_MB


def test_the_loop_of_the_targets_closes_with_everything_on_it():
    TARGETS["dns-sockets"].run(b"\x00hello", Depth.PARSED)
    memory.close()
    TARGETS["dns-sockets"].run(b"\x02\x00\x01x", Depth.PARSED)
