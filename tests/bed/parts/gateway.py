"""haproxy on the router as a gateway that DNS sends every name to: it looks at the server name, asks Azure's DNS where
that is, and passes the connection on untouched. Denies nothing.
"""

from pathlib import Path

from bed.namespaces import Namespace
from bed.parts.program import Program

PORT = 9543


class Gateway:
    """Traffic comes to it by redirection."""

    def __init__(self, namespace: Namespace, folder: Path, dns: str) -> None:
        self._folder, self._dns = folder / "gateway", dns
        self._program = Program(namespace, "gateway", PORT)

    def start(self) -> None:
        """Write the configuration and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "haproxy.cfg"
        config.write_text(self._text())
        self._program.start("haproxy", "-db", "-f", str(config))

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def reset(self) -> None:
        """It remembers nothing."""

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    @staticmethod
    def redirect(address: str) -> str:
        """The rule for the router's `rewrite` chain that brings traffic to an address here."""
        return f'iifname "to-workstation" ip daddr {address} tcp dport 443 redirect to :{PORT}'

    def _text(self) -> str:
        return f"""\
global
  log stderr format raw local0
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
resolvers azure
  nameserver azure {self._dns}:53
  accepted_payload_size 1232
frontend gateway
  bind :{PORT}
  tcp-request inspect-delay 5s
  tcp-request content do-resolve(txn.to,azure,ipv4) req.ssl_sni if {{ req.ssl_hello_type 1 }}
  tcp-request content set-dst var(txn.to) if {{ var(txn.to) -m found }}
  tcp-request content set-dst-port int(443)
  tcp-request content accept if {{ var(txn.to) -m found }}
  default_backend named
backend named
  server named 0.0.0.0:0
"""
