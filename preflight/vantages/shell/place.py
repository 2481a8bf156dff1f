"""What the shell probe tells of its container, as the facts of a vantage. Pure; all of it is hostile text."""

import msgspec

from preflight import __version__
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.probes import resolv_conf
from preflight.probes.clock import utc_now
from preflight.probes.redact import without_credentials
from preflight.vantages.shell.heard import Section
from preflight.vantages.shell.stages import Place

_TOOLS = ("curl", "openssl", "dig", "nslookup", "getent", "bash", "nc", "wget", "python3", "sleep", "head", "date")
_PROXIES = ("https_proxy", "http_proxy", "no_proxy")
_MAX = 500


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Which container, by which way."""

    via: str  # as on the command line: "existing-pod shop/model-0"
    words: str  # "pod shop/model-0, container app, node aks-user1-0"
    node: str = ""  # where it is known


def place(section: Section, plan: VantagePlan) -> Place:
    """Tools, resolver, hosts file, proxies."""
    lines = section.get("i", [])
    told = next((line.split()[1:] for line in lines if line.startswith("tools")), [])
    return Place(
        tools=tuple(tool for tool in _TOOLS if tool in told),
        resolver=resolv_conf.parse(
            "\n".join(section.get("r", [])),
            source="/etc/resolv.conf",  # of whoever the pod belongs to: not every pod asks CoreDNS
        ),
        hosts=tuple(section.get("h", [])),
        proxies=_proxies(lines, plan),
    )


def facts(section: Section, found: Place, plan: VantagePlan, where: Where) -> VantageFacts:
    """The facts that open the vantage's record; it says of itself that it is a shell probe."""
    host = next((line.partition(" ")[2] for line in section.get("i", []) if line.startswith("host ")), "")
    tools = ", ".join(found.tools) or "none"
    return VantageFacts(
        vantage=plan.vantage,
        tool_version=__version__,
        host=host[:255],
        place=f"shell probe in {where.words}",
        node=where.node,
        via=where.via,
        platform=f"shell probe; tools: {tools}",
        resolver=found.resolver,
        proxies=dict(found.proxies),
        trust="the container's own store, as its curl or openssl uses it",
        notices=(
            (
                f"a shell probe in {where.words} spoke for this place, with fewer stages than the probe image"
                f" (tools there: {tools}); what it could not test is unknown"
            ),
        ),
        started=utc_now(),
    )


def _proxies(lines: list[str], plan: VantagePlan) -> dict[str, str]:
    """Effective values under lower-case names, as curl reads them; no credentials."""
    told = dict(line[4:].partition("=")[::2] for line in lines if line.startswith("env "))
    found = {name: told.get(name) or told.get(name.upper(), "") for name in _PROXIES}
    if not plan.proxy.from_environment:
        found = {}
    given = {"https_proxy": plan.proxy.https, "http_proxy": plan.proxy.http, "no_proxy": plan.proxy.no_proxy}
    found |= {name: value for name, value in given.items() if value}
    return {
        name: (value if name == "no_proxy" else without_credentials(value))[:_MAX]
        for name, value in found.items()
        if value
    }
