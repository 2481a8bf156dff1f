"""Network namespaces for tests: enter one with the whole process, run programs and functions in others.

`enter()` first, before any thread is started; it fails with the reason where the machine forbids namespaces.
Nothing here reaches the machine's own network.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar

from bed import system

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LAUNCH = Path(__file__).with_name("launch.py")
_KEEPER = _LAUNCH.with_name("keeper.py")
_HELD: list[int] = []  # descriptors that stay open as long as this process lives
_NETNS = Path("/run/netns")
_LISTENING = "0A"  # state TCP_LISTEN in /proc/net/tcp
_POLL = 0.005  # seconds


class BedError(RuntimeError):
    """The bed could not be built or a program of it failed: the test run is broken, not the network under test."""


def enter() -> None:
    """Put this process into network and mount namespaces of its own; a user namespace as well when it is not root.

    Afterwards it has no way to any network, and names, addresses and nft rules that it makes are seen by nobody else.
    """
    _require("ip", "nft")
    if threading.active_count() > 1:
        raise BedError("the test bed must be entered before the first thread is started")
    user, group = os.geteuid(), os.getegid()
    try:
        if user == 0:
            system.unshare(system.CLONE_NEWNET | system.CLONE_NEWNS)
        else:
            system.unshare(system.CLONE_NEWUSER | system.CLONE_NEWNET | system.CLONE_NEWNS)
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
                Path("/proc/self", name).write_text(text)
        system.keep_mounts_private()
        system.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    except OSError as error:
        raise BedError(
            f"this machine forbids namespaces to uid {user}: {error}\n"
            "  run as root, in a container with --privileged, or allow unprivileged user namespaces"
        ) from error
    _NETNS.mkdir()
    Path("/run/lock").mkdir()
    command("ip", "link", "set", "lo", "up")
    command("nft", "list", "ruleset")
    _keep()


def _keep() -> None:
    """Start what cleans up when this process is gone, however it goes. It holds the reading end of a pipe of ours."""
    reading, writing = os.pipe()  # neither is inherited; the writing end is closed by the end of this process
    os.posix_spawn(
        sys.executable, [sys.executable, "-I", "-S", str(_KEEPER)], os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)], setsid=True,
    )  # fmt: skip
    os.close(reading)
    _HELD.append(writing)


def _require(*programs: str) -> None:
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise BedError(f"not installed: {', '.join(missing)} (apt-get install iproute2 nftables)")


def command(*argv: str, text: str | None = None) -> str:
    """Run a program here, in the process's own namespace; gives its output, raises `BedError` when it fails."""
    return _checked("here", subprocess.run(argv, input=text, text=True, capture_output=True, check=False)).stdout


def _checked(where: str, done: "subprocess.CompletedProcess[str]") -> "subprocess.CompletedProcess[str]":
    if done.returncode:
        raise BedError(f"[{where}] {done.args!r} -> {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Namespace:
    """One network namespace. Files in `etc` stand over their namesakes in /etc for whatever runs in it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.etc = folder / name / "etc"
        self.logs = folder / name / "log"

    @property
    def path(self) -> Path:
        """Where `ip netns` keeps it."""
        return _NETNS / self.name

    def create(self) -> None:
        """Make it, empty but for loopback, without duplicate address detection, with every port open to everybody."""
        self.etc.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        command("ip", "netns", "add", self.name)
        self.sysctl(
            # Duplicate address detection keeps IPv6 silent for one or two seconds after a link is up.
            {
                "ipv6/conf/all/accept_dad": "0",
                "ipv6/conf/default/accept_dad": "0",
                "ipv4/ip_unprivileged_port_start": "0",
            }
        )
        self.write_etc("hosts", "127.0.0.1 localhost\n::1 localhost\n")
        self.write_etc("resolv.conf", "")
        self.write_etc("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")

    def sysctl(self, settings: Mapping[str, str], *, of_root: bool = False) -> None:
        """Write below /proc/sys/net. `of_root`: the kernel hides these in a namespace of an ordinary user."""

        def write() -> None:
            for key, value in settings.items():
                path = Path("/proc/sys/net", key)
                if path.exists() or not of_root:
                    path.write_text(value)

        self.call(write)

    def ip(self, *lines: str) -> None:
        """A batch of `ip` commands."""
        command("ip", "-n", self.name, "-batch", "-", text="\n".join([*lines, ""]))

    def write_etc(self, name: str, text: str) -> None:
        """What /etc/NAME says here; seen at once by whatever already runs here, as long as NAME was there before."""
        (self.etc / name).write_text(text)

    def enter(self, *, mounts: bool = True) -> None:
        """Move the calling thread into it for good, with its own /etc files unless `mounts` is false."""
        system.enter_network(str(self.path))
        if mounts:
            system.own_files(str(self.etc))

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The function's result, from a thread that is in the namespace (network only) and then ends."""
        values: list[_T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                self.enter(mounts=False)
                values.append(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                errors.append(error)

        thread = threading.Thread(target=inside, name=f"in {self.name}")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return values[0]

    def wrap(self, *argv: str) -> list[str]:
        """The command that runs another one in here."""
        return [sys.executable, "-I", "-S", str(_LAUNCH), str(self.path), str(self.etc), *argv]

    def run(
        self,
        *argv: str,
        text: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program in here to its end; raises `BedError` when it fails, unless `check` is false."""
        done = subprocess.run(
            self.wrap(*argv), input=text, env=env, cwd=cwd, timeout=timeout, text=True, capture_output=True, check=False
        )
        return _checked(self.name, done) if check else done

    def spawn(
        self, *argv: str, log: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a program in here; both its outputs go to `logs/LOG.log`.

        It is killed when the thread that called this ends (PR_SET_PDEATHSIG, which a program that changes its user
        loses: start such a program as that user). Call it from the main thread.
        """
        with (self.logs / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                self.wrap(*argv),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=env, cwd=cwd, start_new_session=True,
            )  # fmt: skip

    def listening(self, port: int, *, udp: bool = False) -> bool:
        """Whether something is bound to a port. Asks the kernel: a probing connection would be served, or forwarded."""
        kinds = ("udp", "udp6") if udp else ("tcp", "tcp6")

        def look() -> bool:
            rows = [
                line.split()
                for kind in kinds
                for line in Path("/proc/thread-self/net", kind).read_text().splitlines()[1:]
            ]
            return any(int(row[1].rpartition(":")[2], 16) == port and (udp or row[3] == _LISTENING) for row in rows)

        return self.call(look)

    def wait_listening(
        self, port: int, process: "subprocess.Popen[bytes]", *, udp: bool = False, timeout: float = 20
    ) -> None:
        """Return as soon as a port is bound; raises `BedError` when the process ended or nothing happened in time."""
        end = time.monotonic() + timeout
        while not self.listening(port, udp=udp):
            if process.poll() is not None:
                raise BedError(f"[{self.name}] {process.args!r} ended with {process.returncode} before it listened")
            if time.monotonic() > end:
                raise BedError(f"[{self.name}] {process.args!r} does not listen on {port} after {timeout} s")
            time.sleep(_POLL)


def end(process: "subprocess.Popen[bytes]", *, patience: float = 3) -> None:
    """Ask a process to end, then kill it. Its exit status does not matter."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
