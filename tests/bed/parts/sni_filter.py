"""haproxy on the router as an SNI filter: allows, finishes (FIN), resets (RST) or ignores, by the ClientHello's name.

haproxy itself can only close with FIN. For a reset it marks the connection, and nftables turns the FIN of a marked
connection into a RST, so that the wire shows what Azure Firewall does: handshake accepted, reset after the ClientHello.
Plain HTTP to a denied host is answered with Azure Firewall's status 470 and text (azure-docs#46134, #70564).
"""

import socket
from enum import StrEnum
from pathlib import Path

from bed.namespaces import Namespace
from bed.parts.program import Program

TLS_PORT, HTTP_PORT = 9444, 9080  # 9443 is that of bed.sni
_MARK = "0x470"


class Deny(StrEnum):
    """What happens to a name on the filter's list."""

    RESET = "reset"
    FINISH = "finish"
    SILENCE = "silence"


class SniFilter:
    """Traffic comes to it by redirection; what it allows goes on to where it was meant for."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace, self._folder = namespace, folder / "sni-filter"
        self._program = Program(namespace, "sni-filter", TLS_PORT, HTTP_PORT)

    def start(self) -> None:
        """Write the configuration and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for deny in Deny:
            self._list(deny).write_text("")
        config = self._folder / "haproxy.cfg"
        config.write_text(self._text())
        self._program.start("haproxy", "-db", "-f", str(config))

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def deny(self, deny: Deny, *names: str) -> None:
        """These names, and those below a name that begins with a dot, besides what is denied already."""
        for name in names:
            self._tell(f"add acl {self._list(deny)} {name}")

    def redirect(self, *destinations: str) -> tuple[str, ...]:
        """Rules for the router's `rewrite` chain that bring traffic to these addresses here; none given: all of it."""
        where = f"ip daddr {{ {', '.join(destinations)} }} " if destinations else ""
        return (
            f'iifname "to-workstation" {where}tcp dport 443 redirect to :{TLS_PORT}',
            f'iifname "to-workstation" {where}tcp dport 80 redirect to :{HTTP_PORT}',
        )

    @property
    def resetting(self) -> str:
        """The rule for the router's `output` chain that makes resets of marked connections' ends."""
        return f"meta mark {_MARK} tcp flags & fin == fin tcp flags set rst"

    def reset(self) -> None:
        """Deny nothing."""
        for deny in Deny:
            self._tell(f"clear acl {self._list(deny)}")

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    def _list(self, deny: Deny) -> Path:
        return self._folder / f"{deny}.lst"

    def _tell(self, line: str) -> str:
        return tell(self._folder / "control", line)

    def _text(self) -> str:
        reset, finish, silence = (f"{{ req.ssl_sni -m end -f {self._list(deny)} }}" for deny in Deny)
        denied = " || ".join(f"{{ req.hdr(host),field(1,:) -m end -f {self._list(deny)} }}" for deny in Deny)
        said = (
            "HTTP  request from %ci:%cp to %[req.hdr(host),field(1,:)]:80. Action: Deny. Reason: No rule matched."
            " Proceeding with default action."
        )
        return f"""\
global
  log stderr format raw local0
  stats socket {self._folder}/control level admin
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend tls
  mode tcp
  bind :{TLS_PORT}
  tcp-request inspect-delay 5s
  tcp-request content silent-drop if {silence}
  tcp-request content set-mark {_MARK} if {reset}
  tcp-request content reject if {reset} || {finish}
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  default_backend tls
backend tls
  mode tcp
  server original 0.0.0.0:0
frontend http
  mode http
  bind :{HTTP_PORT}
  http-request return status 470 content-type "text/plain; charset=utf-8" lf-string "{said}" if {denied}
  default_backend http
backend http
  mode http
  server original 0.0.0.0:0
"""


def tell(control: Path, line: str) -> str:
    """One command to an haproxy's runtime socket; gives its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.sendall(f"{line}\n".encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer.decode().strip()
