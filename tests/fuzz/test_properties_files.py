"""Files and variables of the right form with hostile values: the same targets, one structured input each."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import corpus
from fuzz.memory import NEXT
from fuzz.table import TARGETS
from fuzz.target import Depth
from preflight.vantages.protocol import SENTINEL

BOUNDED = settings.get_profile("fuzz")
FEW = settings(BOUNDED, max_examples=25)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "\x1b[2J",
            "\u202egnp.exe",
            "<script>alert(1)</script>",
            "]]><x>",
            "https://[",
            "a:²",
            "::1",
            "a" * 3_000,
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-11-22T10:00:00",
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)


def seed(target, number=0):
    return corpus.files(target)[number].read_bytes()


def leaves(value, at=()):
    """Every place of a document that is no table and no list."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*at, key))
    else:
        yield at


@st.composite
def spoilt(draw, document):
    """The document with one to five of its values replaced; a text mostly by another text, so that it still parses."""
    places = list(leaves(document))
    copy = json.loads(json.dumps(document))
    for at in draw(st.lists(st.sampled_from(places), min_size=1, max_size=5)):
        holder = copy
        for key in at[:-1]:
            holder = holder[key]
        holder[at[-1]] = draw(TEXTS if isinstance(holder[at[-1]], str) else SCALARS)
    return copy


RUN = json.loads(seed("run-file"))


@FEW
@given(spoilt(RUN))
def test_a_run_with_hostile_values_is_refused_or_judged_and_shown(run):
    TARGETS["run-file"].run(json.dumps(run).encode("utf-8", "surrogatepass"), Depth.SHOWN)


LINES = [line for line in seed("agent-lines").split(b"\n") if SENTINEL in line]
MESSAGES = [json.loads(line.partition(SENTINEL)[2]) for line in LINES]
SPOILT_MESSAGES = st.one_of(*map(spoilt, MESSAGES), st.sampled_from(MESSAGES))


@FEW
@given(st.lists(SPOILT_MESSAGES, max_size=6), st.binary(max_size=30))
def test_agents_lines_lost_repeated_and_spoilt_still_give_a_whole_run(messages, noise):
    lines = [SENTINEL + json.dumps(message).encode("utf-8", "surrogatepass") for message in messages]
    TARGETS["agent-lines"].run(noise.join([b"", *(line + b"\n" for line in lines), b""]), Depth.SHOWN)


@FEW
@given(st.data())
def test_a_journal_cut_anywhere_is_refused_or_judged_and_shown(data):
    journal = seed("journal")
    cut = data.draw(st.integers(0, len(journal)))
    TARGETS["journal"].run(journal[:cut] + data.draw(st.binary(max_size=5)), Depth.SHOWN)


ENTRIES = st.one_of(
    st.sampled_from(
        ["*", ".", "..", "*.", "[", "[::1", "[::1]:", "10.0.0.0/8", "10.0.0.0/99", "::/0", "a:b:c", ":", "%"]
    ),
    st.builds("{}:{}".format, st.sampled_from(["a.example", "[fd00::7]", "localhost"]), st.integers(-1, 10**30)),
    st.text(max_size=20),
)


@BOUNDED
@given(st.lists(ENTRIES, max_size=8), st.sampled_from([",", " ", ", ", ",,"]), st.integers(0, 3))
def test_any_no_proxy_has_an_answer_from_each_of_its_readers(entries, between, port):
    TARGETS["no-proxy"].run(bytes([port]) + between.join(entries).encode("utf-8", "surrogatepass"), Depth.SHOWN)


URLS = st.one_of(
    st.builds(
        "{}{}{}:{}".format,
        st.sampled_from(["", "http://", "https://", "socks5h://", "//", "HTTP://"]),
        st.sampled_from(["", "user:pass@", "user%40corp:p%3a@", "@", "a@b@"]),
        st.sampled_from(["proxy", "[fd00::9]", "[fd00::9", "proxy.corp.", "²", ""]),
        st.one_of(st.integers(-1, 70_000), st.just("")),
    ),
    st.text(max_size=30),
)


@BOUNDED
@given(URLS, URLS)
def test_any_proxy_variable_gives_a_route_or_none(https, rest):
    TARGETS["proxy-variables"].run(f"{https}\n{rest}".encode("utf-8", "surrogatepass"), Depth.SHOWN)


KEYWORDS = st.sampled_from(["nameserver", "search", "domain", "options", "sortlist", "#", ";", "nameserver\t"])
VALUES = st.one_of(
    st.sampled_from(["10.0.0.4", "fe80::1%eth0", "fe80::1%", "127.0.0.53", "ndots:9999999999999999", "ndots:-1", "²"]),
    st.ip_addresses().map(str),
    st.text(max_size=30),
)


@BOUNDED
@given(st.lists(st.tuples(KEYWORDS, st.lists(VALUES, max_size=20)), max_size=10))
def test_any_resolv_conf_gives_servers_that_can_be_asked(lines):
    text = "\n".join(f"{keyword} {' '.join(values)}" for keyword, values in lines)
    TARGETS["resolv-conf"].run(text.encode("utf-8", "surrogatepass"), Depth.SHOWN)


@BOUNDED
@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30), max_size=4))
def test_any_variables_beside_the_whole_file_are_used_or_refused(variables):
    lines = "\n".join(f"PREFLIGHT_{name}={value}" for name, value in variables.items())
    TARGETS["environment"].run(seed("environment") + NEXT + lines.encode("utf-8", "surrogatepass"), Depth.PARSED)
