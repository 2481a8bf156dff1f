"""mitmproxy as TLS inspection: transparent for what is redirected to it, and as an explicit proxy beside it.

It signs with the lab's inspection authority and itself trusts the lab's. `mitmproxy_script` runs inside it and obeys
a file, so that exemptions and tampering are switched between scenarios without a restart.
"""

import json
import os
from pathlib import Path

from bed.namespaces import Namespace
from bed.parts.program import Program
from preflight.lab.pki import Pki

TRANSPARENT_PORT, EXPLICIT_PORT = 8443, 8080
_SCRIPT = Path(__file__).with_name("mitmproxy_script.py")


class Mitmproxy:
    """`program`: the mitmdump of an environment of its own, for its libraries are pinned."""

    def __init__(self, namespace: Namespace, folder: Path, address: str, dns: str, program: Path, pki: Pki) -> None:
        self._namespace, self._folder, self._mitmdump, self._pki = namespace, folder / "mitmproxy", program, pki
        self.address, self._dns = address, dns
        self._program = Program(namespace, "mitmproxy", TRANSPARENT_PORT, EXPLICIT_PORT)

    def start(self) -> None:
        """Write authority, trust and orders, and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.reset()
        authority = self._pki.inspection
        (self._folder / "mitmproxy-ca.pem").write_text(authority.key_pem + authority.pem)
        self._namespace.write_etc("resolv.conf", f"nameserver {self._dns}\n")  # for what it is asked as a proxy
        trusted = self._folder / "trusted.pem"
        trusted.write_text(self._pki.public.pem + self._pki.cluster.pem)
        self._program.start(
            str(self._mitmdump),
            "--mode", f"transparent@{TRANSPARENT_PORT}", "--mode", f"regular@{self.address}:{EXPLICIT_PORT}",
            "--scripts", str(_SCRIPT),
            "--set", f"orders={self._orders}",
            "--set", f"confdir={self._folder}",
            "--set", f"ssl_verify_upstream_trusted_ca={trusted}",
            "--set", "termlog_verbosity=warn", "--set", "flow_detail=0",
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},  # it has its own
        )  # fmt: skip

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def order(self, *, exempt: tuple[str, ...] = (), tamper: tuple[str, ...] = ()) -> None:
        """Hosts whose TLS passes untouched, and hosts whose answers' bodies are changed; a leading dot: and below."""
        self._orders.write_text(json.dumps({"exempt": exempt, "tamper": tamper}))

    def redirect(self, *destinations: str) -> tuple[str, ...]:
        """Rules for the router's `rewrite` chain that bring traffic to these addresses here; none given: all of it."""
        where = f"ip daddr {{ {', '.join(destinations)} }} " if destinations else ""
        return (f'iifname "to-workstation" {where}tcp dport 443 redirect to :{TRANSPARENT_PORT}',)

    def reset(self) -> None:
        """Inspect everything, change nothing."""
        self.order()

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    @property
    def _orders(self) -> Path:
        return self._folder / "orders.json"
