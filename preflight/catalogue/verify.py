"""What types cannot say about requirements: ids, placeholders, conditions, slices, order. Pure."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from preflight.catalogue import conditions
from preflight.catalogue.places import EACH, PLACEHOLDER, PLACES, placeholders
from preflight.model.catalogue import Requirement
from preflight.model.environment import Credentials
from preflight.model.secret import SERVICE_ACCOUNT
from preflight.model.vocabulary import ProbeName, Stage
from preflight.strict import nearest, shown

Wrong = tuple[str, str, str]  # key, what was found, what would be right
Place = Callable[[str, str], str]  # id and key -> the text before a problem

ROLES: Final[dict[ProbeName, tuple[str, ...]]] = {
    ProbeName.TCP: ("origin",),
    ProbeName.HTTP: ("origin",),
    ProbeName.KUBE_API: ("origin", "ready", "query", "rights"),
    ProbeName.REGISTRY: ("origin", "token", "manifest", "layer"),
    ProbeName.BLOB: ("origin", "read"),
    ProbeName.TABLE: ("origin", "read"),
    ProbeName.ENTRA: ("origin", "token"),
    ProbeName.WORKSPACE: ("origin", "query"),
    ProbeName.KUSTO: ("origin",),
    ProbeName.ENDPOINT: ("origin",),
    ProbeName.PEERS: ("origin", "port"),
    ProbeName.CLUSTER_DNS: ("inside", "outside"),
    ProbeName.PULL: ("pull", "content"),
}
LINKS: Final = ("api_server.access", "registry.link", "storage.blob_link", "storage.table_link", "workspace.link")
TRUSTS: Final = ("system", "cluster-ca", "pods-ca")
ALPN: Final = ("h2", "http/1.1")
_STAGES: Final = tuple(stage.value for stage in Stage)


def statuses(text: str) -> tuple[int, int] | None:
    """`401` -> (401, 401), `200-399` -> (200, 399); None when it is neither."""
    found = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", text.strip())
    if not found:
        return None
    low, high = int(found[1]), int(found[2] or found[1])
    return (low, high) if low <= high else None


def verify(requirements: Sequence[Requirement], ids: Container[str], place: Place) -> list[str]:
    """Every mistake, as file, key, what was found and what is right; `ids` are all, also of those not readable."""
    problems = []
    for requirement in requirements:
        problems += [
            f"{place(requirement.id, key)}: {found}\n  {right}"
            for rule in _RULES
            for key, found, right in rule(requirement)
        ]
    for requirement, wrong in [*_order(requirements, ids), *_overlaps(requirements)]:
        problems.append(f"{place(requirement.id, wrong[0])}: {wrong[1]}\n  {wrong[2]}")
    return problems


def _identity(requirement: Requirement) -> Iterator[Wrong]:
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", requirement.id):
        yield "id", f"{shown(requirement.id)} is not an id", 'use lower case, digits, "." and "-": "mcr.reach"'
    for key in ("title", "breaks", "source"):
        if not getattr(requirement, key).strip():
            yield key, "is empty", _EMPTY[key]
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", requirement.reviewed):
        yield "reviewed", f"{shown(requirement.reviewed)} is not a date", "give the day of the last review: YYYY-MM-DD"


_EMPTY: Final = {
    "title": 'say it in its good state: "MCR resolves"',
    "breaks": "say in one sentence what does not work without it",
    "source": "name the document and its date",
}


def _vantages(requirement: Requirement) -> Iterator[Wrong]:
    if not requirement.decides:
        yield "decides", "is empty", "name at least one of workstation, node, pod"
    both = sorted(set(requirement.decides) & set(requirement.informs))
    if both:
        yield "informs", f"{', '.join(both)} decides already", "a vantage either decides or informs"


def _slices(requirement: Requirement) -> Iterator[Wrong]:
    roles = ROLES[requirement.probe]
    if not requirement.judges:
        yield "judges", "is empty", 'name what it owns, for example "origin.dns"'
    for text in requirement.judges:
        role, _, stage = text.partition(".")
        if role not in roles:
            yield (
                "judges",
                f"{shown(text)}: {requirement.probe} has no role {shown(role)}",
                f"roles: {', '.join(roles)}",
            )
        elif stage and stage not in _STAGES:
            yield "judges", f"{shown(text)}: {shown(stage)} is not a stage", f"stages: {', '.join(_STAGES)}"


def _templates(requirement: Requirement) -> Iterator[tuple[str, str]]:
    yield "target", requirement.target
    yield "title", requirement.title
    if requirement.expect.private_zone:
        yield "expect.private_zone", requirement.expect.private_zone
    yield from ((f"params.{name}", text) for name, text in requirement.params.items())
    yield from ((f"expect.options.{name}", text) for name, text in requirement.expect.options.items())
    yield from (("expect.addresses", text) for text in requirement.expect.addresses)
    yield from (("opens", text) for text in requirement.opens)


def _placeholders(requirement: Requirement) -> Iterator[Wrong]:
    if requirement.each is not None and requirement.each not in EACH:
        yield "each", f"{shown(requirement.each)} is not a list that is known", f"known: {', '.join(EACH)}"
    added = EACH[requirement.each].adds if requirement.each in EACH else ()
    known = (*PLACES, *added)
    for key, template in _templates(requirement):
        for name in placeholders(template):
            if name not in known:
                yield key, f"the placeholder {{{name}}} is not known", _meant(name, known)
        if set("{}") & set(PLACEHOLDER.sub("", template)):
            yield (
                key,
                f"{shown(template)} has a brace without its partner",
                "write placeholders as {registry.login_server}",
            )


def _meant(name: str, known: Iterable[str]) -> str:
    owners = [each for each, entry in EACH.items() if name in entry.adds]
    if owners:
        return f'it is known only with each = "{owners[0]}"'
    hint = nearest(name, known)
    return f"did you mean {{{hint}}}?" if hint else f"known: {', '.join(sorted(known))}"


def _target(requirement: Requirement) -> Iterator[Wrong]:
    whole = PLACEHOLDER.sub("x", requirement.target)
    allowed = ("x",) if requirement.target.startswith("{") else ("https", "http", "tcp", "dns")
    try:
        parts = urlsplit(whole if "://" in whole else f"x://{whole}")
    except ValueError:  # a bracket that is no IPv6 address's
        parts = urlsplit("")
    if (
        ("://" not in whole and not requirement.target.startswith("{"))
        or parts.scheme not in allowed
        or not parts.netloc
    ):
        yield (
            "target",
            f"{shown(requirement.target)} is not a URL",
            'give "https://…", "http://…", "tcp://host:port" or "dns://address:port"',
        )


def _conditions(requirement: Requirement) -> Iterator[Wrong]:
    for condition in requirement.when:
        if not conditions.known(condition):
            names = sorted([*conditions.CONDITIONS, *(f"not {name}" for name in conditions.CONDITIONS)])
            hint = nearest(condition, names)
            right = (
                f'did you mean "{hint}"?'
                if hint
                else f'known: {", ".join(conditions.CONDITIONS)}, each also with "not ", and "given KEY"'
            )
            yield "when", f"{shown(condition)} is not a condition that is known", right


def _closed_words(requirement: Requirement) -> Iterator[Wrong]:
    expect = requirement.expect
    if requirement.trust not in TRUSTS:
        yield "trust", f"{shown(requirement.trust)} is not known", f"allowed: {', '.join(TRUSTS)}"
    if expect.link is not None and expect.link not in LINKS:
        yield (
            "expect.link",
            f"{shown(expect.link)} is not an expectation of preflight.toml",
            f"allowed: {', '.join(LINKS)}",
        )
    for name in requirement.secrets:
        if name not in (*Credentials.__struct_fields__, SERVICE_ACCOUNT):
            allowed = ", ".join(Credentials.__struct_fields__)
            yield "secrets", f"{shown(name)} is not a credential of preflight.toml", f"allowed: {allowed}"
    for text in expect.statuses:
        if statuses(text) is None:
            yield "expect.statuses", f"{shown(text)} is neither a status nor a range", 'give "401" or "200-399"'
    for text in expect.alpn:
        if text not in ALPN:
            yield "expect.alpn", f"{shown(text)} is not offered", f"allowed: {', '.join(ALPN)}"
    if expect.any_issuer and expect.issuers:
        yield "expect.any_issuer", "contradicts expect.issuers", "give one of the two"


_RULES: Final = (_identity, _vantages, _slices, _placeholders, _target, _conditions, _closed_words)


def _order(requirements: Sequence[Requirement], ids: Container[str]) -> Iterator[tuple[Requirement, Wrong]]:
    """`after` names known requirements on the same target, and never leads back to itself."""
    by_id = {requirement.id: requirement for requirement in requirements}
    for requirement in requirements:
        for name in requirement.after:
            if name not in ids:
                hint = nearest(name, by_id)
                right = f"did you mean {hint}?" if hint else "name a requirement of this catalogue"
                yield requirement, ("after", f"{shown(name)} is not a requirement", right)
            elif name in by_id and by_id[name].target != requirement.target:
                yield (
                    requirement,
                    ("after", f"{name} has another target", "order is between requirements on one target"),
                )
        circle = _circle(requirement, by_id)
        if circle:
            yield requirement, ("after", f"leads in a circle: {' → '.join(circle)}", "take one of them out")


def _circle(start: Requirement, by_id: dict[str, Requirement]) -> list[str]:
    """The way from a requirement back to itself along `after`, if there is one."""
    ways = [[start.id]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for name in by_id[way[-1]].after:
            if name == start.id:
                return [*way, name]
            if name in by_id and name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _overlaps(requirements: Sequence[Requirement]) -> Iterator[tuple[Requirement, Wrong]]:
    """No two requirements own the same slice of one task: the same failure would be counted twice."""
    owners: dict[tuple[str, ...], Requirement] = {}
    for requirement in requirements:
        for text in _stages(requirement):
            task = (requirement.probe, requirement.target, requirement.trust, requirement.each or "", *requirement.when)
            owner = owners.setdefault((*task, text), requirement)
            if owner is not requirement:
                found = f"{text} is already owned by {owner.id}"
                yield requirement, ("judges", found, "each slice of a target has one owner")


def _stages(requirement: Requirement) -> Iterator[str]:
    for text in requirement.judges:
        role, _, stage = text.partition(".")
        yield from [f"{role}.{stage}"] if stage else [f"{role}.{name}" for name in _STAGES]
