"""The text that a container's `sh` reads: settings, the probe, and one line for each target. Pure; holds no secret."""

import shlex
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from preflight.model.plan import VantagePlan
from preflight.vantages.shell.replay import Ask

MAX_PROBE: Final = 4096  # bytes of the probe itself
_FILE: Final = Path(__file__).with_name("probe.sh")
_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY")


@lru_cache(maxsize=1)
def probe() -> str:
    """The probe, the same for every plan."""
    return _FILE.read_text(encoding="utf-8")


def text(plan: VantagePlan, asks: Sequence[Ask]) -> str:
    """All of it; it ends itself, because whoever feeds it may not be able to close its input."""
    lines = [*_settings(plan), probe().rstrip("\n"), *map(_call, asks), "wait", "echo | rel 0 z", "exit 0"]
    return "\n".join(lines) + "\n"


def _settings(plan: VantagePlan) -> Iterator[str]:
    seconds = max(1, round(plan.limits.connect_cap_s))
    yield f"R={shlex.quote(plan.run_id)} C={seconds}"
    yield f"A={shlex.quote(plan.ca_pem)}"
    yield f"B={shlex.quote(plan.cluster_ca_pem)}"
    proxy = plan.proxy
    if not proxy.from_environment:
        yield f"unset {' '.join(_VARIABLES)}"
    for name, value in (("https_proxy", proxy.https), ("http_proxy", proxy.http), ("no_proxy", proxy.no_proxy)):
        if value:
            yield f"export {name}={shlex.quote(value)}"


def _call(ask: Ask) -> str:
    target = ask.task.target
    host = f"[{target.host}]" if ":" in target.host else target.host
    words = [str(ask.number), target.scheme, host, str(target.port), ask.hostport, ask.url, ask.task.trust]
    headers = [word for name, value in ask.headers for word in ("-H", f"{name}: {value}")]
    return f"q {' '.join(map(shlex.quote, (*words, *headers)))} & f"
