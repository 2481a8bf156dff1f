"""Who answered in place of the service: texts by which filters, proxies and portals give themselves away.

A device is named only when its own text proves it. The sources are beside the texts.
"""

import functools
import re

from msgspec import UNSET

from preflight.model.observation import Hop, HttpFacts, Observation
from preflight.model.vocabulary import ProbeName

AZURE_FIREWALL = "Azure Firewall"

# (device, pattern over body and headers): headers are written as "name: value", lower case names.
_DEVICES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (device, re.compile(pattern, re.IGNORECASE))
    for device, pattern in (
        # HTTP 470, "Action: Deny. Reason: No rule matched. Proceeding with default action." (azure-docs#46134)
        (AZURE_FIREWALL, r"\bAction: Deny\. (Rule|Reason)\b"),
        # wafw00f plugins/zscaler.py: Server: ZScaler, title of its pages
        ("Zscaler", r"^server: zscaler|Internet Security by Zscaler|zscaler to protect you|login\.zscloud\.net"),
        # FortiOS replacement messages
        ("FortiGate", r"FortiGuard Intrusion Prevention|FortiGate Application Control|Powered by FortiGuard"),
        # PAN-OS response pages, URL filtering
        (
            "Palo Alto Networks",
            r"page you were trying to visit has been blocked in accordance with company policy|Palo Alto Networks",
        ),
        # SGOS exception pages
        (
            "Blue Coat / Symantec ProxySG",
            r"BlueCoat-Security-Appliance|Blue Coat|denied.{0,40}content categorization|Symantec Web Security",
        ),
        # Squid: X-Squid-Error and the footer of its error pages
        ("Squid", r"^x-squid-error: ERR_(ACCESS_DENIED|CANNOT_FORWARD|DNS_FAIL|CONNECT_FAIL|READ_)|\(squid/[\d.]+\)"),
        ("McAfee / Skyhigh Web Gateway", r"McAfee Web Gateway|Skyhigh (Secure )?Web Gateway"),
        # support.umbrella.com: block pages come from block.opendns.com
        ("Cisco Umbrella", r"block\.opendns\.com|Cisco Umbrella"),
        ("Cisco Secure Web Appliance", r"based on your (organization|corporate).{0,20}access policies"),
        ("Forcepoint / Websense", r"Websense|Forcepoint"),
        ("Netskope", r"Netskope|goskope\.com"),
        ("Check Point", r"Check Point|UserCheck"),
        ("SonicWall", r"blocked by the SonicWall|SonicWall (Network Security|Gateway)"),
        ("Sophos", r"Sophos (Web|UTM|Firewall)|Powered by .{0,20}Sophos"),
        ("Barracuda", r"Barracuda (Web|CloudGen|Networks)"),
        ("WatchGuard", r"WatchGuard"),
        ("iboss", r"iboss"),
    )
)
_DENIES = re.compile(
    r"(access|page|site|request|url|connection)[^.<]{0,40}\b(blocked|denied|forbidden by|restricted)\b"
    r"|web ?filter|url filter|content filter|internet usage policy|acceptable use policy",
    re.IGNORECASE,
)
# What a service says of itself is "forbidden"; who speaks of policies, filters and categories stands in between.
_WHO = (
    r"(polic(y|ies)|administrator|organi[sz]ation|company|corporate|firewall|proxy|(web|url|content) ?filter|category)"
)
_POLICY = re.compile(
    rf"\b(blocked|denied|restricted|prohibited|not (allowed|permitted))\b[^<]{{0,80}}\b{_WHO}\b"
    rf"|\b{_WHO}\b[^<]{{0,60}}\b(blocks?|blocked|den(ies|ied)|restrict(s|ed)|forbids)\b",
    re.IGNORECASE,
)
_PORTAL = re.compile(r"captive|hotspot|guest (wi-?fi|access|network)|log ?in|sign ?in|terms of use", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,80})", re.IGNORECASE)

# Services whose answers are JSON or XML: a page in HTML is somebody else's.
_NEVER_HTML = frozenset(
    {
        ProbeName.REGISTRY,
        ProbeName.KUBE_API,
        ProbeName.ENTRA,
        ProbeName.KUSTO,
        ProbeName.WORKSPACE,
        ProbeName.BLOB,
        ProbeName.TABLE,
    }
)


def find(hop: Hop, observation: Observation, *, catalogue_name: bool) -> str | None:
    """A sentence that names who answered in place of the service, or None when nothing gives anybody away."""
    if hop.http is UNSET or hop.http.status is None:
        return None
    device = device_in(hop.http)
    html = _is_html(hop.http)
    if device is not None and _may_be_a_page(hop.http, html=html):
        return f"HTTP {hop.http.status}, a page of {device}: {_quote(hop.http)}"
    if hop.http.status == 511:  # RFC 6585: made for captive portals
        return f"HTTP 511, network authentication required: {_quote(hop.http)}"
    if html and _speaks_of_policy(hop.http):
        return f"HTTP {hop.http.status}, a page that speaks of a policy: {_quote(hop.http)}"
    if not html or not catalogue_name or observation.probe not in _NEVER_HTML:
        return None
    if hop.http.status == 200 or (hop.http.status in (401, 403) and _DENIES.search(hop.http.body)):
        what = "a login page" if _PORTAL.search(hop.http.body) and not _DENIES.search(hop.http.body) else "a page"
        return f"HTTP {hop.http.status}, {what} in HTML where the service answers with data: {_quote(hop.http)}"
    return None


def device_in(facts: HttpFacts) -> str | None:
    """The device whose own text stands in the answer."""
    headers = (f"{name.lower()}: {value}" for name, value in facts.headers)
    found = min(map(_rank, (facts.body, *headers)))
    return _DEVICES[found][0] if found < len(_DEVICES) else None


@functools.lru_cache(maxsize=2048)
def _rank(text: str) -> int:
    """The place in the table of the device that a text gives away, its length when it is none.

    Remembered, because a thousand places get the same headers and pages.
    """
    return next((at for at, (_, pattern) in enumerate(_DEVICES) if pattern.search(text)), len(_DEVICES))


def in_plain_bytes(first_bytes: str) -> str:
    """What answered in plain text where TLS was expected; "" when the bytes say nothing."""
    try:
        text = bytes.fromhex(first_bytes).decode("latin-1")
    except ValueError:
        return ""
    line = "".join(char if char.isprintable() else " " for char in text.splitlines()[0] if text)[:60] if text else ""
    if text.startswith("HTTP/"):
        return f"a plain HTTP answer: {line.strip()}"
    if text.startswith("SSH-"):
        return f"an SSH server: {line.strip()}"
    if text.lstrip().startswith("<"):
        return "a page in HTML, without TLS"
    return f"the answer begins with {first_bytes[:16]}" if first_bytes else ""


def _may_be_a_page(facts: HttpFacts, *, html: bool) -> bool:
    """A 200 with data that mentions a product is data; Azure Firewall's deny text is plain text with status 470."""
    if facts.status == 470 or (facts.status is not None and facts.status >= 400):
        return True
    return html or facts.body.lstrip().startswith("Action: Deny.")


def _speaks_of_policy(facts: HttpFacts) -> bool:
    """Anywhere in an error page; with status 200 in its title only, since pages may be about policies."""
    if facts.status in (401, 403, 451, 503):
        return _POLICY.search(facts.body) is not None
    title = _TITLE.search(facts.body)
    return facts.status == 200 and title is not None and bool(_POLICY.search(title[1]) or _DENIES.search(title[1]))


def _is_html(facts: HttpFacts) -> bool:
    kind = next((value for name, value in facts.headers if name.lower() == "content-type"), "").lower()
    beginning = facts.body.lstrip()[:200].lower()
    return "text/html" in kind or beginning.startswith(("<!doctype html", "<html"))


def _quote(facts: HttpFacts) -> str:
    title = _TITLE.search(facts.body)
    text = title[1] if title else re.sub(r"<[^>]*>", " ", facts.body)
    return f"“{' '.join(text.split())[:100]}”"
