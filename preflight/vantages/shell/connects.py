"""What bash's /dev/tcp and nc say of one connect, and wget of one plain request. Pure."""

import re

from preflight.model.observation import HttpFacts, TcpFacts
from preflight.probes.redact import Redactor
from preflight.vantages.shell import words
from preflight.vantages.shell.words import Told

_STATUS = re.compile(r"\s*HTTP/([0-9.]+) ([0-9]{3})\s?(.*)")
_HEADER = re.compile(r"\s+([A-Za-z0-9-]{1,80}): ?(.*)")


def tcp(told: Told, address: str, port: int, cap_ms: float) -> TcpFacts | None:
    """None when the tool failed by itself, or the name was the trouble."""
    text = told.text.lower()
    if words.is_unknown_name(text) or "invalid option" in text or "usage:" in text or told.exit_code is None:
        return None
    code = words.errno(text)
    # nc that was ended by the probe's limit had connected and waited; bash's connect cannot be ended otherwise.
    idle = told.exit_code >= words.KILLED and "nc" in _tool(told)
    connected = told.exit_code == 0 or idle or "open" in text or "succeeded" in text
    silent = not connected and code is None
    return TcpFacts(
        address=address,
        port=port,
        result="connected" if connected else "timeout" if silent else "error",
        errno=None if connected else code,
        cap_ms=cap_ms,
        at_ms=0.0,
        duration_ms=told.seconds * 1000,
    )


def _tool(told: Told) -> str:
    return told.lines[0] if told.lines and told.lines[0] in ("bash", "nc") else ""


def http(told: Told) -> HttpFacts | None:
    """The last answer that wget shows; None when it shows none."""
    status: re.Match[str] | None = None
    headers: list[tuple[str, str]] = []
    for line in told.lines:
        if (match := _STATUS.fullmatch(line)) is not None:
            status, headers = match, []
        elif status is not None and (match := _HEADER.fullmatch(line)) is not None and len(headers) < 100:
            headers.append((match[1].lower(), match[2]))
    if status is None:
        return None
    return HttpFacts(
        method="GET",
        result="ok",
        status=int(status[2]),
        reason=status[3][:200],
        version=f"HTTP/{status[1]}",
        headers=Redactor({}).headers(headers),
        at_ms=0.0,
        duration_ms=told.seconds * 1000,
    )
