"""preflight itself, as a user runs it: one process from start-up to the reports on disk, default formats."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

_PROGRAM = str(Path(sys.executable).parent / "preflight")


def _prepare(endpoints: Sequence[Endpoint], folder: Path) -> Command:
    (folder / "preflight.toml").write_text(
        "schema_version = 1\n"
        + "".join(
            f'\n[[dependency]]\nname = "{_name(one)}"\nurl = "https://{one.host}/"\nvantages = ["workstation"]\n'
            for one in endpoints
        )
    )
    return Command((_PROGRAM, "run", "--only", "dependency.*"))


def _read(endpoints: Sequence[Endpoint], folder: Path, sample: Sample) -> dict[str, Told]:
    """The verdict and its cause, as the report has them; nothing is interpreted."""
    report = folder / "preflight-out" / "run.json"
    if not report.exists():
        raise SystemExit(f"bench: preflight wrote no report: {sample.stderr}")
    verdicts = {verdict["requirement"]: verdict for verdict in json.loads(report.read_bytes())["verdicts"]}
    report.unlink()
    return {one.host: _told(verdicts[f"dependency.{_name(one)}"]) for one in endpoints}


def _told(verdict: dict[str, str]) -> Told:
    if verdict["status"] == "pass":
        return PASSED
    return NOTHING._replace(cause=verdict["cause"])


def _name(one: Endpoint) -> str:
    return one.host.partition(".")[0]


PEER = Peer(name="preflight", version=Command((_PROGRAM, "--version")), prepare=_prepare, read=_read)
