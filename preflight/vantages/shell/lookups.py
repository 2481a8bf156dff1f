"""What dig, nslookup and getent said, as DNS facts. Pure."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from preflight.model.observation import DnsAnswer, ResolverFacts, SystemLookup
from preflight.probes import names
from preflight.vantages.shell import words
from preflight.vantages.shell.words import Told

_HEAD = re.compile(r";; ->>HEADER<<- opcode: QUERY, status: ([A-Z]{4,12})")
_QUESTION = re.compile(r";(\S+)\.\s+IN\s+(A|AAAA)")
_RECORD = re.compile(r"(\S+?)\.?\s+([0-9]+)\s+IN\s+(A|AAAA|CNAME)\s+(\S+?)\.?")
_TIME = re.compile(r";; Query time: ([0-9]+) msec")
_SERVER = re.compile(r";; SERVER: ([0-9A-Fa-f.:]+)#([0-9]+).*?(?:\((UDP|TCP)\))?")
_FAILED = re.compile(
    r"(?:;; )?(?:communications error to|UDP setup with|;; connection timed out).*|.*no servers could be reached.*"
)
_BAD, _CUT = "Got bad packet", "Truncated, retrying in TCP mode"
_TYPES = ("A", "AAAA")
_REFUSALS = re.compile(r"(?:can't find|server can't find) \S+: ([A-Z]{4,12})")
_MAX = 64  # addresses and names of one answer


def from_dig(told: Told, resolver: ResolverFacts) -> tuple[DnsAnswer, ...]:
    """One answer for each type; a type without any is one that no server answered."""
    found: dict[str, DnsAnswer] = {}
    for block in _blocks(told.lines):
        answer = _answer(block)
        if answer is not None:
            found.setdefault(answer.rtype, answer)
    silent = [kind for kind in _TYPES if kind not in found] if _no_answer(told) else []
    missing = [_unanswered(kind, told, resolver, len(silent)) for kind in silent]
    return tuple(found[kind] for kind in _TYPES if kind in found) + tuple(missing)


def _blocks(lines: Sequence[str]) -> Iterable[list[str]]:
    block: list[str] = []
    for line in lines:
        if _HEAD.search(line) and block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _answer(block: list[str]) -> DnsAnswer | None:
    head = next((match for line in block if (match := _HEAD.search(line))), None)
    question = next((match for line in block if (match := _QUESTION.fullmatch(line.strip()))), None)
    if head is None or question is None:
        return None
    records = [match for line in block if (match := _RECORD.fullmatch(line.strip()))][:_MAX]
    server = next((match for line in block if (match := _SERVER.fullmatch(line.strip()))), None)
    took = next((float(match[1]) for line in block if (match := _TIME.fullmatch(line.strip()))), 0.0)
    rtype = question[2]
    return DnsAnswer(
        server=names.join(server[1], int(server[2])) if server and names.literal(server[1]) else "",
        rtype=rtype,
        transport=(server[3] or "UDP").lower() if server else "udp",
        result="answer",
        rcode=head[1],
        chain=(question[1].lower(), *(match[4].lower() for match in records if match[3] == "CNAME")),
        addresses=_addresses(match[4] for match in records if match[3] == rtype),
        ttl=min((int(match[2][:9]) for match in records), default=None),
        at_ms=0.0,
        duration_ms=took,
    )


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(literal for text in texts if (literal := names.literal(text))))[:_MAX]


def _no_answer(told: Told) -> bool:
    failed = any(_FAILED.fullmatch(line.strip()) for line in told.lines)
    return failed or _BAD in told.text or told.exit_code is None or told.exit_code >= words.KILLED


def _unanswered(rtype: str, told: Told, resolver: ResolverFacts, shared_by: int) -> DnsAnswer:
    """No server answered: silent, the way to it says no, or what came is no answer."""
    code, truncated, malformed = words.errno(told.text), _CUT in told.text, _BAD in told.text
    return DnsAnswer(
        server=resolver.nameservers[0] if resolver.nameservers else "",
        rtype=rtype,
        transport="tcp" if truncated else "udp",
        result="malformed" if malformed else "error" if code else "timeout",
        truncated=truncated,
        errno=code,
        at_ms=0.0,
        duration_ms=round(told.seconds * 1000 / max(shared_by, 1), 3),
    )


def from_nslookup(told: Told, resolver: ResolverFacts, name: str) -> tuple[DnsAnswer, ...]:
    """BusyBox and BIND tell the same: the server, then addresses or an rcode, without saying for which type."""
    server, addresses, chain, rcode = "", [], [name], ""
    body = False
    for line in map(str.strip, told.lines):
        if line.startswith("Server:"):
            server = line.partition(":")[2].strip()
        elif line.startswith(("Name:", "Non-authoritative", "***")):
            body = True
        elif "canonical name =" in line:
            body, chain = True, [*chain, line.rpartition("=")[2].strip().rstrip(".").lower()]
        elif line.startswith("Address") and body:
            addresses.append(line.partition(":")[2].strip().split(" ")[0])
        elif (match := _REFUSALS.search(line)) is not None:
            rcode = rcode or match[1]
    found = _addresses(addresses)
    if not found and not rcode and (words.is_silence(told.text) or _no_answer(told)):
        return tuple(_unanswered(kind, told, resolver, 1) for kind in _TYPES[:1])
    if not found and not rcode and told.exit_code not in (0, 1):
        return ()
    common = DnsAnswer(
        server=names.join(literal, 53) if (literal := names.literal(server)) else "",
        rtype="A",
        transport="udp",
        result="answer",
        rcode=rcode if rcode and not found else "NOERROR",
        chain=tuple(chain[:_MAX]),
        at_ms=0.0,
        duration_ms=told.seconds * 1000,
    )
    six = tuple(address for address in found if names.is_ipv6(address))
    four = tuple(address for address in found if address not in six)
    answers = [msgspec.structs.replace(common, addresses=four)] if four or not six else []
    return (*answers, *([msgspec.structs.replace(common, rtype="AAAA", addresses=six)] if six else []))


def from_getent(told: Told) -> SystemLookup:
    """The system's own lookup, hosts file included."""
    addresses = _addresses(line.split()[0] for line in told.lines if line.split())
    result = "answer" if addresses else "timeout" if (told.exit_code or 0) >= words.KILLED else "failed"
    error = None if addresses else "getent"
    return SystemLookup(result=result, addresses=addresses, error=error, duration_ms=told.seconds * 1000)


def hosts_file(lines: Iterable[str], name: str) -> tuple[str, ...]:
    """The addresses that /etc/hosts has for a name."""
    found = []
    for line in lines:
        address, *others = line.partition("#")[0].split() or [""]
        if name in (other.lower() for other in others) and (literal := names.literal(address)):
            found.append(literal)
    return tuple(dict.fromkeys(found))
