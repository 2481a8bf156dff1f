"""check_http of the monitoring plugins, 20 at a time with xargs. It does not verify certificates."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

_PROGRAM = "/usr/lib/nagios/plugins/check_http"


def _prepare(options: str) -> Callable[[Sequence[Endpoint], Path], Command]:
    def prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
        one = f"said=$({_PROGRAM} -S --sni{options} -H {{}} 2>&1); printf '%s\\t%s\\t%s\\n' {{}} $? \"$(echo $said)\""
        return Command(
            ("xargs", "-P", "20", "-I", "{}", "sh", "-c", one), "".join(f"{one.host}\n" for one in endpoints)
        )

    return prepare


def _read(_: Sequence[Endpoint], __: Path, sample: Sample) -> dict[str, Told]:
    rows = (line.split("\t", 2) for line in sample.stdout.splitlines())
    return {host: PASSED if code == "0" else NOTHING._replace(cause=_cause(text)) for host, code, text in rows}


def _cause(text: str) -> str | None:
    """The rest, "Socket timeout" and "Cannot make SSL connection", says the same whatever was in the way."""
    known = {
        "Name or service not known": "dns.nxdomain",
        "Connection refused": "tcp.refused",
        "403 Forbidden": "http.status-403",
    }
    return next((cause for words, cause in known.items() if words in text), None)


_VERSION = Command((_PROGRAM, "--version"))
PEER = Peer(name="check_http -S, 20 at a time", version=_VERSION, prepare=_prepare(""), read=_read)
SAME_CAP = Peer(name="check_http -S -t 3, 20 at a time", version=_VERSION, prepare=_prepare(" -t 3"), read=_read)
