"""What comes from agents and files, one below its limit, at it, and one above."""

from pathlib import Path

import msgspec
import pytest
from builders import wire
from builders.runs import task, vantage_facts

from preflight import files
from preflight.catalogue import files as catalogue_files
from preflight.cli import saved
from preflight.environment import azure_output, credentials, read
from preflight.failures import UsageFailure
from preflight.kube import pods
from preflight.model.observation import Observation
from preflight.model.plan import VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.probes import resolv_conf, size, system_lookup
from preflight.probes.services import answers
from preflight.vantages import agent, protocol
from preflight.vantages.listener import Listener

AROUND = pytest.mark.parametrize("more", [-1, 0, 1])
OF = task(ProbeName.HTTP, "features.contoso.example")
VANTAGE = "node/user1"
SEEN = wire.observation(OF, VANTAGE, (wire.hop(VANTAGE, "https://features.contoso.example/"),))


def plan(*tasks) -> VantagePlan:
    return VantagePlan(run_id="r1", vantage=VANTAGE, tasks=tasks or (OF,))


def large(observation: Observation, wanted: int) -> Observation:
    """The same with a tool's message of such a length that the JSON has the wanted size."""
    bare = msgspec.structs.replace(observation, tool_error="")
    return msgspec.structs.replace(bare, tool_error="e" * (wanted - len(msgspec.json.encode(bare))))


def listen(lines: bytes, made: VantagePlan) -> tuple[Listener, list[object]]:
    """What an agent's log is heard to say."""
    heard: list[object] = []
    listener = Listener(made, heard.append)
    for line in lines.splitlines(keepends=True):
        listener.feed(line)
    return listener, heard


@AROUND
def test_a_line_of_an_agent(more):
    short = len(protocol.encode("r1", 0, protocol.Seen(observation=large(SEEN, 100_000)))) - 100_000
    line = protocol.encode("r1", 0, protocol.Seen(observation=large(SEEN, protocol.MAX_LINE - short + more)))
    assert len(line) == protocol.MAX_LINE + more
    listener, heard = listen(line, plan())
    assert (len(heard), bool(listener.reader.broken)) == ((1, False) if more <= 0 else (0, True))


@AROUND
def test_the_bytes_of_an_agents_stream(more, monkeypatch):
    """With a limit of three lines; a test does not have to send 256 MiB."""
    line = protocol.encode("r1", 0, protocol.Hello(facts=vantage_facts(VANTAGE)))
    monkeypatch.setattr(protocol, "MAX_STREAM", 3 * len(line))
    listener, _ = listen(line * (3 + more), plan())
    assert listener.reader.broken == max(more, 0)


@AROUND
def test_messages_of_an_agent(more, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_MESSAGES", 5)
    reader = protocol.Reader("r1")
    hello = protocol.Hello(facts=vantage_facts(VANTAGE))
    heard = [one for n in range(5 + more) for one in reader.feed(protocol.encode("r1", n, hello))]
    assert (len(heard), reader.repeated) == (min(5, 5 + more), max(more, 0))


def test_an_agent_speaks_for_itself_once_and_of_what_it_was_asked():
    other = msgspec.structs.replace(SEEN, task="http:elsewhere.example:443")
    foreign = msgspec.structs.replace(SEEN, vantage="node/system")
    told = [SEEN, SEEN, other, foreign]
    lines = [protocol.encode("r1", n, protocol.Seen(observation=one)) for n, one in enumerate(told)]
    lines.append(protocol.encode("r1", 9, protocol.Hello(facts=vantage_facts("node/system"))))
    listener, heard = listen(b"".join(lines), plan())
    assert heard == [SEEN]
    assert listener.reader.foreign == 4


def test_a_closing_line_that_counts_nothing_closes_nothing():
    end = protocol.End(observations=0, facts=vantage_facts(VANTAGE))
    listener, _ = listen(protocol.encode("r1", 0, end), plan())
    assert not listener.facts("it ended").complete


@AROUND
def test_the_last_line_of_a_termination_message(more):
    told = pods.last_words("first\n" + "e" * (pods.MAX_WORDS + more) + "\n")
    assert len(told) == min(pods.MAX_WORDS, pods.MAX_WORDS + more)


@AROUND
def test_the_bytes_of_an_observation(more):
    kept = size.bounded(large(SEEN, size.MAX_OBSERVATION + more))
    assert (kept.hops == SEEN.hops) is (more <= 0)
    assert len(msgspec.json.encode(kept)) <= size.MAX_OBSERVATION + 1


def test_an_observation_that_is_far_too_large_keeps_its_hops_without_the_bulk():
    hop = SEEN.hops[0]
    headers = tuple((f"x-{n}", "v" * 2_000) for n in range(30))
    big = msgspec.structs.replace(hop, http=msgspec.structs.replace(hop.http, headers=headers))
    kept = size.bounded(msgspec.structs.replace(SEEN, hops=(big,) * 30))
    assert len(msgspec.json.encode(kept)) <= size.MAX_OBSERVATION
    assert [one.http.status for one in kept.hops] == [hop.http.status] * 30
    assert kept.tool_error is None


@AROUND
def test_values_of_a_json_document(more):
    body = b"[" + b",".join([b"1"] * (answers.JSON_VALUES + more)) + b"]"  # as many commas and brackets
    assert (answers.as_json(body) is None) is (more > 0)


@AROUND
def test_bytes_of_a_json_document(more):
    body = b'"' + b"x" * (answers.JSON_LIMIT - 2 + more) + b'"'
    assert (answers.as_json(body) is None) is (more > 0)


@AROUND
def test_bytes_of_an_error_document(more):
    code = b"<Code>AuthorizationFailure</"
    body = b" " * (answers.XML_LIMIT - len(code) + more) + code
    assert bool(answers.storage_error({}, body)) is (more <= 0)


@AROUND
def test_servers_of_a_resolv_conf(more):
    count = resolv_conf.MAX_SERVERS + more
    text = "".join(f"nameserver 10.0.0.{n}\n" for n in range(count))
    facts = resolv_conf.parse(text, source="resolv.conf", consumer="other")
    assert len(facts.nameservers) == min(count, resolv_conf.MAX_SERVERS)
    assert ("are asked" in facts.source) is (more > 0)


@AROUND
def test_bytes_of_a_resolv_conf(more, tmp_path):
    last = "nameserver 10.0.0.1\n"
    path = tmp_path / "resolv.conf"
    path.write_text("#" * (resolv_conf.MAX_BYTES - len(last) - 1 + more) + "\n" + last)
    seen = resolv_conf.read(path, "other")
    assert seen.nameservers == ("10.0.0.1:53",)  # all but its line feed fits
    path.write_text("#" * resolv_conf.MAX_BYTES + "\n" + last)
    assert resolv_conf.read(path, "other").nameservers == ()


@AROUND
def test_addresses_in_a_hosts_file(more, tmp_path):
    count = system_lookup.MAX_ADDRESSES + more
    path = tmp_path / "hosts"
    path.write_text("".join(f"10.0.0.{n} a.example\n" for n in range(count)))
    assert len(system_lookup.from_hosts_file("a.example", path)) == min(count, system_lookup.MAX_ADDRESSES)


@AROUND
def test_a_file_that_is_read(more, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1_000 + more))
    if more > 0:
        with pytest.raises(files.TooLarge):
            files.read(path, 1_000)
    else:
        assert len(files.read(path, 1_000)) == 1_000 + more


def _padded(path: Path, text: str, wanted: int) -> Path:
    path.write_text(text + "#" * (wanted - len(text)))
    return path


@AROUND
def test_a_configuration_and_a_file_of_checks(more, tmp_path):
    for name, limit, reader in (
        ("preflight.toml", read.LARGEST, read.read_config),
        ("checks.toml", catalogue_files.LARGEST, catalogue_files.read_toml),
    ):
        path = _padded(tmp_path / name, "a = 1\n", limit + more)
        if more > 0:
            with pytest.raises(UsageFailure, match="is larger than"):
                reader(path)
        else:
            assert reader(path) == {"a": 1}


@AROUND
def test_output_of_az_and_a_secret(more, tmp_path):
    path = tmp_path / "az.json"
    path.write_text(" " * (azure_output.LARGEST + more - 2) + "{}")
    with pytest.raises(UsageFailure, match="is larger than" if more > 0 else "is not an output that is known"):
        azure_output.understand([path])
    secret = tmp_path / "secret"
    secret.write_text("s" * (credentials.LARGEST + more))
    from preflight.model.environment import SecretSource

    value, wrong = credentials._value(SecretSource(file="secret"), {}, tmp_path)
    assert (len(value), bool(wrong)) == ((0, True) if more > 0 else (credentials.LARGEST + more, False))


@AROUND
def test_a_plan_of_an_agent(more):
    text = msgspec.json.encode(plan())
    text += b" " * (agent.MAX_PLAN - len(text) + more)
    if more > 0:
        with pytest.raises(UsageFailure, match="larger than"):
            agent.read_plan(text, "stdin")
    else:
        assert agent.read_plan(text, "stdin") == plan()


@pytest.mark.parametrize("reading", [read.read_config, catalogue_files.read_toml, saved.run])
def test_a_device_without_end_is_refused(reading, monkeypatch):
    monkeypatch.setattr(saved, "MAX_LINE", 1_000_000)
    with pytest.raises(UsageFailure, match=r"arger than"):
        reading(Path("/dev/zero"))


@pytest.mark.parametrize(("lines", "largest", "longest"), [(5, 50, 10), (5, 50, 100), (1, 10, 10)])
@AROUND
def test_the_bytes_of_a_run_file_and_of_a_line(tmp_path, lines, largest, longest, more):
    """At the limit all comes, one above it nothing is made of it."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * more + b"123456789\n" * lines if more >= 0 else b"123456789\n" * lines)
    if more < 0:
        largest, longest = largest + 1, longest + 1
    with path.open("rb") as file:
        head = file.read(4)
        reading = files.lines(head, file, largest, longest)
        if more > 0:
            with pytest.raises(files.TooLarge):
                list(reading)
        else:
            assert b"".join(reading) == path.read_bytes()
