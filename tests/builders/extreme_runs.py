# ruff: noqa: E501 - long hostile texts stand on one line each
"""Runs at the edge: text that wants to do something in every field, and a run that is very large."""

import msgspec

from builders import runs, wire
from builders.wire import certificate, hop
from preflight.model.observation import DnsAnswer, Hop, ProxyFacts
from preflight.model.plan import Expect
from preflight.model.run import Candidate, Query, Run
from preflight.model.vocabulary import ProbeName, Status

N, P, W = "node/user1", "pod/user1", "workstation"
EVIL = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> ]]> <!-- \x1b[2J\x1b]0;owned\x07 \x00\x9b31m \u202eevil\u202c "
    "`code` | cell | **bold** [link](javascript:alert(3)) @everyone org/repo#1 www.evil.example https://evil.example {{ 7*7 }} &lt;b&gt; \\| \r\n# heading"
)


def hostile() -> Run:
    """Every field that the network fills holds something that would act if it were not neutralised."""
    of = runs.task(ProbeName.HTTP, "features.contoso.example")
    checks = tuple(
        runs.check("dependency.features", vantage, of, title="features answers", expect=Expect(issuers=("Microsoft",)))
        for vantage in wire.VANTAGES
    )
    observed = tuple(
        wire.observation(of, one.vantage, (_evil_hop(one.vantage),), tool_error=EVIL if one.vantage == N else None)
        for one in checks
    )
    verdicts = (
        runs.verdict(checks[0], Status.FAIL, cause="http.block-page", reason=EVIL, at="origin.http", duration_ms=12.0),
        runs.verdict(checks[1], Status.UNKNOWN, cause="preflight.internal", reason=EVIL, at=EVIL),
        runs.verdict(checks[2], Status.WARN, cause="tls.expiring", reason=EVIL, at="origin.tls"),
    )
    finding = runs.finding(
        1, "http.block-page", title=f"Allow it on {EVIL}", change=EVIL, why=(EVIL,), contradicts=(EVIL,), settle=EVIL,
        candidates=(Candidate(what=EVIL, because=EVIL, settle=EVIL),), queries=(Query(tool="KQL", text=EVIL),),
        verify=EVIL, checks=(checks[0].id,), targets=(EVIL,), vantages=(W,),
    )  # fmt: skip
    facts = tuple(
        msgspec.structs.replace(
            runs.vantage_facts(name, notices=(EVIL,)), host=EVIL, trust=EVIL, proxies={"https_proxy": EVIL}
        )
        for name in wire.VANTAGES
    )
    return runs.run(
        verdicts, checks=checks, tasks=(of,), observations=observed, findings=(finding,), facts=facts, notices=(EVIL,),
        environment={"environment": {"cluster": EVIL, "cloud": "AzureCloud"}, EVIL: [EVIL, {EVIL: EVIL}]},
        headline="Not ready: 1 requirement fails, and 1 requirement could not be tested.",
    )  # fmt: skip


def _evil_hop(vantage: str) -> Hop:
    chain = (certificate(f"CN={EVIL}", f"CN={EVIL}", sans=(EVIL,) * 9),)
    made = hop(
        vantage,
        f"https://features.contoso.example/?q={EVIL}",
        cname=(EVIL,),
        chain=chain,
        status=403,
        headers=((EVIL, EVIL),),
        body=EVIL,
        service={EVIL: EVIL},
        tls_more={"detail": EVIL},
    )
    bad = DnsAnswer(
        server="10.0.0.1:53", rtype="A", transport="udp", result="malformed", detail=EVIL, at_ms=0.0, duration_ms=1.0
    )
    dns = msgspec.structs.replace(made.dns, answers=(*made.dns.answers, bad))
    http = msgspec.structs.replace(made.http, reason=EVIL, detail=EVIL)
    return msgspec.structs.replace(
        made, dns=dns, http=http, proxy=ProxyFacts(url="http://proxy.contoso.example:3128", source=EVIL, connect=http)
    )


def large(requirements: int = 200, vantages: int = 6) -> Run:
    """A very large run, one failure among many passes."""
    names = (
        W,
        *(f"node/pool{number}" for number in range(1, vantages // 2 + 1)),
        *(f"pod/pool{number}" for number in range(1, vantages - vantages // 2)),
    )
    made = [runs.task(ProbeName.HTTP, f"host{number}.contoso.example") for number in range(requirements)]
    checks = tuple(
        runs.check(f"dependency.host{number}", name, of, title=f"host{number} answers")
        for number, of in enumerate(made)
        for name in names
    )
    observed = tuple(
        wire.observation(of, name, (hop(name, f"https://{of.target.host}/"),)) for of in made for name in names
    )
    verdicts = tuple(
        runs.verdict(one, Status.FAIL, cause="http.timeout", reason="no answer within 10 s", at="origin.http")
        if at % 40 == 7
        else runs.verdict(one, duration_ms=12.5)
        for at, one in enumerate(checks)
    )
    return runs.run(
        verdicts,
        checks=checks,
        tasks=tuple(made),
        observations=observed,
        vantages=names,
        headline="Not ready: 30 requirements fail.",
    )
