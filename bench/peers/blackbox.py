"""Prometheus' blackbox exporter, scraped 20 at a time, once for its metrics and once for its debug log.

The exporter runs before the clock starts, as a daemon does. Ten seconds is Prometheus' own scrape time-out, of which
the exporter keeps half a second. Metrics are what it has for machines; the debug log of one probe is for people.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

_ADDRESS = "127.0.0.1:9115"
_PROGRAM = "prometheus-blackbox-exporter"
_CONFIG = "modules: {https: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"


def _service(folder: Path) -> Command:
    (folder / "blackbox.yml").write_text(_CONFIG)
    return Command((_PROGRAM, f"--config.file={folder}/blackbox.yml", f"--web.listen-address={_ADDRESS}"))


def _prepare(scrape_s: float, *, debug: bool) -> Callable[[Sequence[Endpoint], Path], Command]:
    def prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
        page = f"http://{_ADDRESS}/probe?module=https{'&debug=true' if debug else ''}&target=https://"
        scrapes = "".join(f'url = "{page}{one.host}"\noutput = "{one.host}.probe"\n' for one in endpoints)
        header = f"X-Prometheus-Scrape-Timeout-Seconds: {scrape_s}"
        return Command(("curl", "-Z", "--parallel-max", "20", "-s", "-m", "60", "-H", header, "-K", "-"), scrapes)

    return prepare


def _reader(cause: Callable[[str], str | None]) -> Callable[[Sequence[Endpoint], Path, Sample], dict[str, Told]]:
    def read(endpoints: Sequence[Endpoint], folder: Path, _: Sample) -> dict[str, Told]:
        told = {}
        for one in endpoints:
            text = (folder / f"{one.host}.probe").read_text()
            told[one.host] = PASSED if "\nprobe_success 1" in text else NOTHING._replace(cause=cause(text))
        return told

    return read


def _of_metrics(text: str) -> str | None:
    """Refused, dropped, reset and untrusted have the same metrics: no phase after the lookup took any time."""
    if "\nprobe_ip_protocol 0" in text:
        return "dns.nxdomain"
    return "http.status-403" if "\nprobe_http_status_code 403" in text else None


def _of_debug(text: str) -> str | None:
    """A deadline at which the log has no moment of connecting (Go's zero time) passed while connecting."""
    known = {
        "no such host": "dns.nxdomain",
        "connect: connection refused": "tcp.refused",
        "read: connection reset by peer": "tls.reset-after-hello",
        "x509: ": "tls.untrusted",
        "status_code=403": "http.status-403",
    }
    if "dial tcp" in text and "i/o timeout" in text:
        return "tcp.timeout"
    if "context deadline exceeded" in text:
        return "tcp.timeout" if "connectDone=0001-01-01" in text else "tls.timeout"
    return next((cause for words, cause in known.items() if words in text), None)


def _peer(name: str, scrape_s: float, *, debug: bool) -> Peer:
    return Peer(
        name=name,
        version=Command((_PROGRAM, "--version")),
        prepare=_prepare(scrape_s, debug=debug),
        read=_reader(_of_debug if debug else _of_metrics),
        service=_service,
    )


METRICS = _peer("blackbox_exporter, metrics, 20 at a time", 10, debug=False)
DEBUG = _peer("blackbox_exporter, debug logs read by a person", 10, debug=True)
METRICS_SAME_CAP = _peer("blackbox_exporter, metrics, 3 s", 3.5, debug=False)
DEBUG_SAME_CAP = _peer("blackbox_exporter, debug logs, 3 s", 3.5, debug=True)
