"""Puts up the servers in a namespace of their own, joined to this one by a veth pair. Runs inside `isolate` only.

unbound answers names, haproxy is every HTTPS server (one process, a certificate for each name), nftables refuses and
drops, `odd_server` cuts. All of it ends with the process namespace, whatever happens to this process.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from bench import delay, odd_server, pki
from bench.world import DOMAIN, FAR, NAMESERVER, NEAR, SERVERS, SLOW_FAR, SLOW_NEAR, Endpoint, Kind, with_server


class Link(StrEnum):
    """The two ways to the servers."""

    NEAR = "0 ms"
    SLOW = "10 ms"


_PATIENCE_S = 120
_BLOCK_PAGE = """<html><head><title>Web Page Blocked</title></head><body><h1>Web Page Blocked</h1>
<p>Access to this page is denied by company policy. Category: uncategorised. Contact network security.</p></body></html>
"""


@contextmanager
def built(folder: Path, endpoints: Iterable[Endpoint]) -> Iterator[None]:
    """Network, trust store, resolver and servers for these endpoints."""
    endpoints = tuple(endpoints)
    (folder / "certs").mkdir()
    root = pki.make(folder / "certs", with_server(endpoints))
    _trust(folder, root)
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_start(["unshare", "--net", "sleep", "infinity"], folder / "holder.log"))
        enter = ["nsenter", f"--net=/proc/{started[0].pid}/ns/net"]
        _wait_for_namespace(started[0].pid)
        _network(started[0].pid, enter)
        _run([*enter, "nft", "-f", "-"], stdin=_firewall())
        started.append(_start([sys.executable, delay.__file__, str(started[0].pid)], folder / "delay.log"))
        _slow_link(enter, folder)
        (folder / "unbound.conf").write_text(_unbound(folder, endpoints))
        (folder / "haproxy.cfg").write_text(_haproxy(folder, endpoints))
        module = [sys.executable, str(Path(odd_server.__file__))]
        for name, argv in (
            ("unbound", ["unbound", "-d", "-c", str(folder / "unbound.conf")]),
            ("haproxy", ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]),
            ("odd", module),
        ):
            started.append(_start([*enter, *argv], folder / f"{name}.log"))
        (folder / "resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
        _run(["mount", "--bind", str(folder / "resolv.conf"), os.path.realpath("/etc/resolv.conf")])
        _wait_until_ready(endpoints, folder)
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def _network(holder: int, enter: list[str]) -> None:
    """A link, and a far side that answers for every address of the range without having each of them."""
    _run(["ip", "link", "set", "lo", "up"])
    _run(["ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1", "netns", str(holder)])
    _run(["ip", "addr", "add", f"{NEAR}/30", "dev", "bench0"])
    _run(["ip", "link", "set", "bench0", "up"])
    for line in (
        "link set lo up",
        f"addr add {FAR}/30 dev bench1",
        "link set bench1 up",
        f"route add local {SERVERS} dev lo",
    ):
        _run([*enter, "ip", *line.split()])
    go(Link.NEAR)
    _run([*enter, "sysctl", "-qw", "net.core.somaxconn=8192", "net.ipv4.tcp_max_syn_backlog=8192"])


def _slow_link(enter: list[str], folder: Path) -> None:
    """The addresses of the link that takes its time."""

    def there() -> bool:
        look = [["ip", "link", "show", delay.NEAR_DEVICE], [*enter, "ip", "link", "show", delay.FAR_DEVICE]]
        return all(subprocess.run(one, capture_output=True, check=False).returncode == 0 for one in look)

    _until(there, lambda: f"the slow link: {(folder / 'delay.log').read_text()[-300:]}")
    for prefix, address, device in (([], SLOW_NEAR, delay.NEAR_DEVICE), (enter, SLOW_FAR, delay.FAR_DEVICE)):
        _run([*prefix, "ip", "addr", "add", f"{address}/30", "dev", device])
        _run([*prefix, "ip", "link", "set", device, "up"])


def go(link: Link) -> None:
    """Everything takes this link from now on, the way back included: clients are asked from its address."""
    where = ["via", FAR, "dev", "bench0"] if link is Link.NEAR else ["dev", delay.NEAR_DEVICE]
    _run(["ip", "route", "replace", "default", *where])


def _firewall() -> str:
    def net(kind: Kind) -> str:
        return f"{Endpoint(kind, 0).address.rpartition('.')[0]}.0/24"

    return f"""
table ip bench {{
  chain redirects {{
    type nat hook prerouting priority dstnat;
    ip daddr {net(Kind.CUT)} tcp dport 443 redirect to :{odd_server.CUT}
    ip daddr {net(Kind.STALLED)} tcp dport 443 redirect to :{odd_server.STALL}
  }}
  chain arriving {{
    type filter hook input priority filter;
    ip daddr {net(Kind.REFUSED)} tcp dport 443 reject with tcp reset
    ip daddr {net(Kind.DROPPED)} drop
  }}
}}
"""


def _unbound(folder: Path, endpoints: Iterable[Endpoint]) -> str:
    known = [one for one in endpoints if one.kind is not Kind.NXDOMAIN]
    records = "\n".join(f'  local-data: "{one.host}. 300 IN A {one.address}"' for one in known)
    return f"""server:
  interface: {NAMESERVER}
  access-control: 0.0.0.0/0 allow
  do-ip6: no
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{folder}"
  use-syslog: no
  num-threads: 1
  so-rcvbuf: 1m
  module-config: "iterator"
  local-zone: "." static
  local-zone: "{DOMAIN}." static
{records}
remote-control:
  control-enable: no
"""


def _haproxy(folder: Path, endpoints: Iterable[Endpoint]) -> str:
    (folder / "block-page.html").write_text(_BLOCK_PAGE)
    served = with_server(endpoints)
    (folder / "crt-list").write_text("".join(f"{folder}/certs/{one.host}.pem\n" for one in served))
    return f"""global
  maxconn 8000
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend https
  bind 0.0.0.0:443 backlog 8192 ssl crt-list {folder}/crt-list alpn h2,http/1.1
  acl blocked ssl_fc_sni -m beg {Kind.BLOCKED}-
  http-request return status 403 content-type text/html file {folder}/block-page.html if blocked
  http-request return status 200 content-type application/json string "{{}}"
"""


def _trust(folder: Path, root: bytes) -> None:
    """The machine's own store, with the bench's root added, over /etc/ssl/certs in this mount namespace only."""
    store = folder / "store"
    _run(["cp", "-rL", "--no-preserve=mode", "/etc/ssl/certs", str(store)])
    (store / "bench-root.pem").write_bytes(root)
    bundle = store / "ca-certificates.crt"
    bundle.write_bytes(bundle.read_bytes() + root)
    hashed = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(store / "bench-root.pem")], check=True, capture_output=True
    )
    (store / f"{hashed.stdout.decode().strip()}.0").write_bytes(root)
    _run(["mount", "--bind", str(store), "/etc/ssl/certs"])


def _wait_for_namespace(pid: int) -> None:
    mine = Path("/proc/self/ns/net").readlink()
    _until(lambda: Path(f"/proc/{pid}/ns/net").readlink() != mine, lambda: "the servers' namespace")


def _wait_until_ready(endpoints: tuple[Endpoint, ...], folder: Path) -> None:
    """Name service and HTTPS answer."""
    last = next(one for one in reversed(endpoints) if one.kind is Kind.GOOD)

    def ready() -> bool:
        try:
            socket.create_connection((socket.gethostbyname(last.host), 443), timeout=1).close()
        except OSError:
            return False
        return True

    def logs() -> str:
        return "; ".join(f"{name}: {(folder / f'{name}.log').read_text()[-300:]}" for name in ("unbound", "haproxy"))

    _until(ready, logs)


def _until(ready: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: not up after {_PATIENCE_S} s: {what()}")
        time.sleep(0.02)


def _start(argv: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file)


def _run(argv: list[str], stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin.encode(), capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(argv)}: {done.stderr.decode(errors='replace')}")
