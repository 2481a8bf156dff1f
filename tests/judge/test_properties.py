"""What must hold for any evidence at all."""

import msgspec
from builders.facts import (
    answer,
    certificate,
    check,
    connection,
    dns,
    evidence,
    hop,
    http,
    observation,
    plan,
    proxied,
    resolved,
    reused,
    timeout,
    tls,
    vantage,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from preflight.judge import evidence_of, exit_code, judge
from preflight.model.causes import CAUSES
from preflight.model.plan import Expect, LeftOut
from preflight.model.run import Run
from preflight.model.vocabulary import Link, Phase, ProbeName, Severity, Status

PLACES = ("workstation", "node/user1", "pod/user1")
STEPS = {
    ProbeName.HTTP: {"reach": ("origin",)},
    ProbeName.REGISTRY: {"reach": ("origin",), "manifest": ("token", "manifest"), "layers": ("layer",)},
    ProbeName.BLOB: {"reach": ("origin.proxy", "origin.tcp", "origin.tls"), "read": ("origin.http", "read")},
    ProbeName.KUBE_API: {"reach": ("origin.tcp", "origin.tls"), "query": ("origin.http", "ready", "query")},
    ProbeName.TCP: {"reach": ("origin.tcp",)},
}
RESULTS = ("answer", "timeout", "malformed", "error")
RCODES = ("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR")
ADDRESSES = ("20.60.1.4", "10.1.1.5", "0.0.0.0", "127.0.0.1", "2603::5", "100.64.0.1", "not an address")
ERRNOS = (None, "ECONNREFUSED", "ENETUNREACH", "EACCES", "EMFILE", "ETIMEDOUT")

answers = st.builds(
    lambda addresses, **more: answer(*addresses, **more),
    server=st.sampled_from(("10.0.0.4:53", "10.0.0.5:53")),
    rtype=st.sampled_from(("A", "AAAA")),
    rcode=st.sampled_from(RCODES),
    result=st.sampled_from(RESULTS),
    errno=st.sampled_from(ERRNOS),
    truncated=st.booleans(),
    role=st.sampled_from(("configured", "compared")),
    addresses=st.lists(st.sampled_from(ADDRESSES), max_size=2).map(tuple),
)
lookups = st.one_of(
    st.just(UNSET),
    st.just(resolved()),
    st.builds(
        lambda every, hosts: dns(*every, hosts=hosts),
        st.lists(answers, max_size=4),
        st.sampled_from(((), ("10.1.1.5",))),
    ),
    st.just(dns(timeout())),
)
handshakes = st.one_of(
    st.just(False),
    st.builds(
        tls,
        st.sampled_from(("ok", "timeout", "reset", "closed", "alert", "unverified", "not-tls", "error", "odd")),
        verify_code=st.sampled_from((None, 9, 10, 18, 19, 20, 62, 99)),
        chain=st.sampled_from(((), (certificate(),), (certificate("CN=Corp", not_after="nonsense"),))),
        first_bytes=st.sampled_from(("", "zz", b"HTTP/1.1".hex(), "00ff")),
        alpn=st.sampled_from((None, "h2")),
    ),
)
connections = st.lists(
    st.builds(
        connection,
        st.sampled_from(ADDRESSES[:2]),
        handshakes,
        result=st.sampled_from(("connected", "timeout", "error")),
        errno=st.sampled_from(ERRNOS),
        mss=st.sampled_from((None, 1200)),
    ),
    max_size=3,
).map(tuple)
messages = st.one_of(
    st.just(UNSET),
    st.builds(
        http,
        st.sampled_from((200, 206, 302, 307, 401, 403, 404, 407, 429, 470, 503, 511)),
        st.sampled_from(("", "{}", "<html>blocked page", "Action: Deny. Reason: x")),
        st.sampled_from(("ok", "timeout", "reset", "closed", "malformed", "too-large", "error")),
        headers=st.sampled_from(((), (("content-type", "text/html"),), (("location", "/x"),))),
    ),
)
hops = st.one_of(
    st.builds(hop, st.just("origin"), dns=lookups, connections=connections, http=messages),
    st.just(hop()),
    st.sampled_from((407, 403, 503, 200)).map(proxied),
)
later = st.lists(
    st.one_of(
        st.builds(reused, st.sampled_from(("token", "manifest", "layer", "read", "ready", "query")), http=messages),
        st.builds(
            hop,
            st.sampled_from(("origin.redirect1", "layer.redirect1")),
            dns=lookups,
            connections=connections,
            http=messages,
        ),
    ),
    max_size=3,
)
expects = st.builds(
    Expect,
    link=st.sampled_from(Link),
    issuers=st.sampled_from(((), ("DigiCert",))),
    alpn=st.sampled_from(((), ("h2",))),
    catalogue_name=st.booleans(),
    trust=st.sampled_from(("system", "cluster-ca")),
    options=st.sampled_from(({}, {"nxdomain": "telemetry.name-undocumented"})),
)


def any_check(name, judges, place, number):
    return st.builds(
        lambda **more: check(name, *judges, at=place, task=f"t{number}", **more),
        severity=st.sampled_from(Severity),
        decides=st.booleans(),
        expect=expects,
        precondition=st.sampled_from((None, None, "kube.ca-not-given")),
    )


@st.composite
def cases(draw):
    checks, seen = [], []
    for number, place in enumerate(draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=3))):
        probe = draw(st.sampled_from(sorted(STEPS)))
        steps = {"resolve": ("origin.dns",), **STEPS[probe]}
        names = draw(st.lists(st.sampled_from(sorted(steps)), unique=True, min_size=1))
        checks.extend(draw(any_check(f"{probe.value}{number}.{name}", steps[name], place, number)) for name in names)
        if draw(st.integers(0, 4)):
            flags = {"deadline_hit": draw(st.booleans()), "tool_error": draw(st.sampled_from((None, "KeyError")))}
            seen.append(observation(draw(hops), *draw(later), task=f"t{number}", at=place, probe=probe, **flags))
    omitted = draw(
        st.lists(
            st.builds(
                LeftOut,
                requirement=st.sampled_from(("http0.resolve", "mcr.layers", "canary.score")),
                title=st.just("x"),
                phase=st.sampled_from(Phase),
                severity=st.sampled_from(Severity),
                vantage=st.sampled_from((None, "node", "pod/user1")),
                reason=st.just("left out"),
                status=st.sampled_from(("skipped", "unknown")),
                cause=st.sampled_from((None, "vantage.not-run", "from.the-future")),
            ),
            max_size=3,
        )
    )
    consumer = draw(st.sampled_from(("glibc", "coredns", "mapped")))
    facts = tuple(vantage(name, consumer=consumer) for name in draw(st.sampled_from((PLACES, PLACES[:1]))))
    the_plan = plan(*checks, left_out=tuple(omitted), vantages=PLACES)
    return evidence(the_plan, *seen, facts=facts, strict=draw(st.booleans()), interrupted=draw(st.booleans()))


@settings(max_examples=120, deadline=None)
@given(cases())
def test_any_evidence_gives_a_whole_and_honest_run(given_evidence):
    run = judge(given_evidence)
    _every_check_has_exactly_one_verdict(run)
    _causes_and_owners_fit(run)
    _exit_code_fits(run)
    _findings_cover(run)
    assert judge(given_evidence) == run
    assert judge(evidence_of(run)) == run
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


def _every_check_has_exactly_one_verdict(run):
    ids = [v.check for v in run.verdicts]
    assert len(ids) == len(set(ids)) == len(run.plan.checks) + len(run.plan.left_out)
    assert {c.id for c in run.plan.checks} <= set(ids)
    assert sum(run.counts.values()) == sum(v.decides for v in run.verdicts)


def _causes_and_owners_fit(run):
    by_id = {v.check: v for v in run.verdicts}
    for v in run.verdicts:
        named = v.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)
        assert (v.cause in CAUSES) if named else v.cause is None
        assert v.owner is (CAUSES[v.cause].owner if v.cause else None)
        assert (v.blocked_by is not None) == (v.status is Status.BLOCKED)
        assert v.blocked_by is None or by_id[v.blocked_by].status in (Status.FAIL, Status.WARN, Status.UNKNOWN)
        assert v.status is not Status.FAIL or v.severity is Severity.REQUIRED


def _exit_code_fits(run):
    deciding = [v for v in run.verdicts if v.decides]
    required = {v.status for v in deciding if v.severity is Severity.REQUIRED}
    assert run.exit_code == exit_code(run.verdicts, strict=run.strict, interrupted=run.interrupted)
    if run.interrupted:
        assert run.exit_code == 130
    elif any(v.status is Status.FAIL for v in deciding):
        assert run.exit_code == 1
    elif required & {Status.UNKNOWN, Status.BLOCKED} or all(v.status is Status.SKIPPED for v in deciding):
        assert run.exit_code == 3
    else:
        assert run.exit_code in (0, 4)


def _findings_cover(run):
    covered = [name for found in run.findings for name in found.checks]
    troubled = [v.check for v in run.verdicts if v.decides and v.cause is not None]
    assert set(troubled) <= set(covered)
    assert len(covered) == len(set(covered))
    assert [found.id for found in run.findings] == [str(n) for n in range(1, len(run.findings) + 1)]
    for found in run.findings:
        assert found.title
        assert found.why
        assert (found.confidence == "proven") or found.settle
