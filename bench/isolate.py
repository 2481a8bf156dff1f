"""Moves this process into namespaces of its own, so that nothing of the machine's network is touched or reached.

Network, mounts and processes: whatever ends the outer process, even SIGKILL, takes every server, every peer, the work
folder (a tmpfs seen in here only) and the network with it. As an ordinary user a user namespace comes first.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

_INSIDE = "PREFLIGHT_BENCH_INSIDE"


def inside() -> bool:
    """Whether this is the first process of its own process namespace, started by `enter`."""
    return _INSIDE in os.environ and os.getpid() == 1


def enter(argv: list[str]) -> Path:
    """Runs the same command inside and leaves with its exit code; inside, returns the empty work folder."""
    if inside():
        return _work_folder()
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    # setpriv: when this process is killed, unshare is, and with it (--kill-child) everything inside.
    command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", *user]
    command += ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    env = {**os.environ, _INSIDE: "1"}
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    child = subprocess.Popen([*command, "--", sys.executable, "-m", "bench", *argv], env=env)
    try:
        sys.exit(child.wait())
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        child.kill()
        child.wait()


def _work_folder() -> Path:
    """A tmpfs over a folder that every machine has and that neither Python nor the checkout lie in."""
    used = [os.path.realpath(path) for path in (sys.prefix, sys.executable, str(Path.cwd()), str(Path.home()))]
    for place in ("/mnt", "/media", "/srv", "/opt"):
        if Path(place).is_dir() and not any(path.startswith(f"{place}/") for path in used):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "bench", place], check=True)
            return Path(place)
    raise SystemExit("bench: no folder to mount the work folder on")
