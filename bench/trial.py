"""One measured run of one peer in a fresh folder: its service up before the clock starts, its output read after."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Sample, run
from bench.peers.base import Command, Peer, Score, environment, score
from bench.world import Endpoint

_TICKS = 100  # per second, in /proc (USER_HZ)


@dataclass(frozen=True)
class Trial:
    """Figures of the run, and what of it was right."""

    sample: Sample
    score: Score


def try_out(peer: Peer, endpoints: Sequence[Endpoint], folder: Path) -> Trial:
    """Runs the peer once over the endpoints."""
    folder.mkdir()
    try:
        command = peer.prepare(endpoints, folder)
        env = environment(folder)
        with _served(peer.service(folder) if peer.service else None, folder, env) as service:
            sample = run(command.argv, folder=folder, env=env, stdin=command.stdin)
            sample = _with(service, sample)
        return Trial(sample, score(endpoints, peer.read(endpoints, folder, sample)))
    finally:
        shutil.rmtree(folder)


def side_by_side(peer: Peer, endpoints: Sequence[Endpoint], folder: Path, times: int) -> list[Trial]:
    """Several runs at once, for a peer that does nothing but sleep most of the time."""
    with ThreadPoolExecutor(times) as pool:
        runs = [pool.submit(try_out, peer, endpoints, folder.with_name(f"{folder.name}-{n}")) for n in range(times)]
        return [one.result() for one in runs]


@contextmanager
def _served(command: Command | None, folder: Path, env: dict[str, str]) -> Iterator[int | None]:
    """The peer's daemon, listening; yields its process id."""
    if command is None:
        yield None
        return
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    try:
        _until_listening(process)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _until_listening(process: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", 9115), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"bench: {process.args!r} does not listen")


def _with(service: int | None, sample: Sample) -> Sample:
    """The client's figures and the daemon's: its processor time since it was started, its peak if that is larger."""
    if service is None:
        return sample
    stat = Path(f"/proc/{service}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{service}/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])
    cpu = (int(stat[11]) + int(stat[12])) / _TICKS
    return replace(sample, cpu_s=sample.cpu_s + cpu, peak_mb=max(sample.peak_mb, peak_kb / 1024))
