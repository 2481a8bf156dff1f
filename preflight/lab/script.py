"""Answers of the lab's DNS servers that a scenario writes itself: slow, truncated, many, contradictory. No sockets."""

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import msgspec

_TTL = 30


class Silence(Exception):  # noqa: N818 - what the server does, not an error
    """No answer at all."""


class Cut(Exception):  # noqa: N818
    """The connection is reset instead of an answer; over UDP: no answer."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to some questions; the first that fits counts. With neither rcode nor records: the usual."""

    name: str  # shell pattern, lower case: "mcr.microsoft.com", "*.azurecr.io", "*"
    server: str | None = None  # address of one DNS server; None: all of them
    types: tuple[str, ...] = ()  # "A", "AAAA"; empty: every type
    transport: str | None = None  # "udp" or "tcp"; None: both
    every: int = 1  # strikes every n-th question that it fits
    delay_s: float = 0
    rcode: str | None = None  # "NOERROR" with no records is NODATA
    records: tuple[
        str, ...
    ] = ()  # "A 192.0.2.1", "CNAME other.example.", or with an owner: "other.example. A 192.0.2.1"
    silent: bool = False
    cut: bool = False  # TCP: reset
    truncated: bool = False
    garbage: bool = False


class Script:
    """The active answers of one lab. `replace` switches them while the servers run."""

    def __init__(self) -> None:
        self._answers: list[tuple[Answer, list[int]]] = []

    def replace(self, answers: Sequence[Answer]) -> None:
        """From now on these and no others; counting starts again."""
        self._answers = [(answer, [0]) for answer in answers]

    def find(self, wire: bytes, *, server: str, tcp: bool) -> Answer | None:
        """The answer that this question gets, or None: the usual one."""
        question = dns.message.from_wire(wire).question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        for answer, count in self._answers:
            if _fits(answer, name, kind, server, "tcp" if tcp else "udp"):
                count[0] += 1
                if count[0] % answer.every == 0:
                    return answer
        return None


def _fits(answer: Answer, name: str, kind: str, server: str, transport: str) -> bool:
    return (
        fnmatchcase(name, answer.name)
        and answer.server in (None, server)
        and (not answer.types or kind in answer.types)
        and answer.transport in (None, transport)
    )


async def play(answer: Answer, wire: bytes, usual: Callable[[], bytes]) -> bytes:
    """The packet to send back; raises `Silence` or `Cut`."""
    await asyncio.sleep(answer.delay_s)
    if answer.silent:
        raise Silence
    if answer.cut:
        raise Cut
    if answer.garbage:
        return wire[:2] + b"\xff" * 40
    packet = usual() if answer.rcode is None and not answer.records else _written(answer, wire)
    return _truncated(packet) if answer.truncated else packet


def _written(answer: Answer, wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(dns.rcode.from_text(answer.rcode or "NOERROR"))
    asked = query.question[0]
    wanted = (dns.rdatatype.to_text(asked.rdtype), "CNAME")
    for record in answer.records:
        words = record.split()
        owner, kind, data = words if len(words) == 3 else (asked.name.to_text(), *words)
        if kind in wanted:
            response.answer.append(dns.rrset.from_text(owner, _TTL, "IN", kind, data))
    return response.to_wire(max_size=65535)


def _truncated(packet: bytes) -> bytes:
    response = dns.message.from_wire(packet)
    response.answer.clear()
    response.flags |= dns.flags.TC
    return response.to_wire()
