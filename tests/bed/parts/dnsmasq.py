"""dnsmasq as the other resolver: strips private addresses as many routers are set to, or knows other records.

It starts in 30 ms, so every scenario starts its own.
"""

from bed.namespaces import Namespace
from bed.parts.program import Program
from preflight.lab import deployment as at


class Dnsmasq:
    """One instance on one address; its answers are fixed when it starts."""

    def __init__(self, namespace: Namespace, address: str, upstream: str) -> None:
        self.address, self._upstream = address, upstream
        self._program = Program(namespace, f"dnsmasq-{address}", 53)

    def start(
        self, *, records: tuple[str, ...] = (), lacks: tuple[str, ...] = (), strips: tuple[str, ...] = ()
    ) -> None:
        """`records`: "name/address" of its own; `lacks`: names that it says do not exist; `strips`: names that its
        protection against DNS rebinding applies to, which takes documentation ranges, our public ones, for private."""
        exempt = "/".join(name for name in at.BY_NAME if name not in strips)
        self._program.start(
            "dnsmasq",
            "--no-daemon",  # which also keeps the user: in a user namespace there is none to change to
            "--conf-file=/dev/null", "--pid-file=",
            "--no-resolv", "--no-hosts", "--cache-size=0", "--bind-interfaces", f"--listen-address={self.address}",
            "--except-interface=lo", f"--server={self._upstream}",
            *(["--stop-dns-rebind", f"--rebind-domain-ok=/{exempt}/"] if strips else []),
            *(f"--host-record={name},{address}" for name, _, address in (each.partition("/") for each in records)),
            *(f"--server=/{name}/" for name in lacks),
        )  # fmt: skip

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def stop(self) -> None:
        """End it."""
        self._program.stop()
