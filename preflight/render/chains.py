"""Certificate chains that were presented, arranged for a reader: which vantage was shown which, and what is foreign."""

from collections.abc import Iterable

import msgspec

from preflight.model.observation import Certificate, Observation, TlsFacts
from preflight.render import stages


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate of a chain; `foreign` when its issuer is none of the expected ones."""

    certificate: Certificate
    foreign: bool


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A presented chain, and where from it was seen."""

    server_name: str
    vantages: tuple[str, ...]
    links: tuple[Link, ...]
    judgement: str
    expected: tuple[str, ...]


def presented(seen: Iterable[Observation], expected: tuple[str, ...]) -> tuple[Chain, ...]:
    """Chains that differ, each with the vantages that were shown it."""
    groups: dict[tuple[str, tuple[Certificate, ...], str], list[str]] = {}
    for one in seen:
        for tls in (tls for hop in one.hops for tls in stages.handshakes(hop) if tls.chain):
            key = (tls.server_name or "", tls.chain, _judgement(tls))
            groups.setdefault(key, []).append(one.vantage)
    return tuple(
        Chain(
            server_name=name,
            vantages=tuple(dict.fromkeys(vantages)),
            links=_links(chain, expected),
            judgement=judgement,
            expected=expected,
        )
        for (name, chain, judgement), vantages in groups.items()
    )


def _judgement(tls: TlsFacts) -> str:
    if tls.result == "ok":
        return f"trusted by {tls.trust}"
    return f"not trusted by {tls.trust}: {tls.verify_message or tls.result}"


def _links(chain: tuple[Certificate, ...], expected: tuple[str, ...]) -> tuple[Link, ...]:
    """A chain is foreign as a whole: no issuer in it is an expected one."""
    foreign = bool(expected) and not any(text in one.issuer for one in chain for text in expected)
    return tuple(Link(certificate=one, foreign=foreign) for one in chain)
