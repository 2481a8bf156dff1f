"""squid as the corporate proxy: one port for everybody, one that wants a password, and a list of hosts it denies.

The list is read anew for each request by a helper of squid's, so that nothing has to be restarted between scenarios.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from bed.namespaces import Namespace
from bed.parts.program import Program, as_user

OPEN_PORT, AUTH_PORT = 3128, 3129
USER, PASSWORD = "corp-user", "correct horse"
_HELPERS = "/usr/lib/squid"
# Squid is not root and cannot enter a test's folder; /run is the bed's own.
_FOLDER = Path("/run/bed-squid")
_LIST = _FOLDER / "denied.txt"
# squid asks with one host a line; OK means that the access list matches.
_ASK = """\
#!/bin/sh
while read -r host rest; do
  if grep -qxF "$host" "{list}"; then echo OK; else echo ERR; fi
done
"""


class Squid:
    """Listens on `address` in a namespace and resolves with `dns`, which is its own view of the network."""

    def __init__(self, namespace: Namespace, address: str, dns: str) -> None:
        self._namespace, self.address, self._dns = namespace, address, dns
        self._program = Program(namespace, "squid", OPEN_PORT, AUTH_PORT)

    def start(self) -> None:
        """Write configuration, helper and passwords, and start."""
        _FOLDER.mkdir(exist_ok=True)
        _FOLDER.chmod(0o755)
        self.deny()
        helper = _FOLDER / "denied.sh"
        helper.write_text(_ASK.format(list=_LIST))
        helper.chmod(0o755)
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, text=True, capture_output=True, check=True
        ).stdout
        (_FOLDER / "passwords").write_text(f"{USER}:{hashed}")
        config = _FOLDER / "squid.conf"
        config.write_text(self._text(helper))
        self._program.start(*as_user(self._namespace, "proxy", "squid", "-N", "-d", "1", "-f", str(config)))

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def deny(self, *hosts: str) -> None:
        """Refuse these hosts from now on, and no others."""
        _LIST.write_text("".join(f"{host}\n" for host in hosts))
        _LIST.chmod(0o644)

    def reset(self) -> None:
        """Deny nothing."""
        self.deny()

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    def _text(self, helper: Path) -> str:
        return "\n".join(_lines(self.address, self._dns, helper)) + "\n"


def _lines(address: str, dns: str, helper: Path) -> Iterable[str]:
    yield f"http_port {address}:{OPEN_PORT} name=open"
    yield f"http_port {address}:{AUTH_PORT} name=auth"
    yield f"auth_param basic program {_HELPERS}/basic_ncsa_auth {_FOLDER}/passwords"
    yield "auth_param basic children 2 startup=1 idle=1"
    yield "auth_param basic realm Contoso proxy"
    # A burst of requests must wait for the helper: squid denies what does not fit into the queue.
    helpers = "children-max=4 children-startup=2 queue-size=500"
    yield f"external_acl_type listed ttl=0 negative_ttl=0 {helpers} %DST {helper}"
    yield "acl listed external listed"
    yield "acl wants_password myportname auth"
    yield "acl known proxy_auth REQUIRED"
    yield "http_access deny listed"
    yield "http_access deny wants_password !known"
    yield "http_access allow all"
    yield "cache deny all"
    yield "access_log none"
    yield "cache_log /dev/stderr"
    yield "pid_filename none"
    yield "netdb_filename none"
    yield f"coredump_dir {_FOLDER}"
    yield "pinger_enable off"
    yield "shutdown_lifetime 0 seconds"
    yield "connect_timeout 2 seconds"
    yield "forward_timeout 3 seconds"
    yield "dns_timeout 2 seconds"
    yield "positive_dns_ttl 1 second"
    yield "negative_dns_ttl 1 second"
    yield "hosts_file none"
    yield f"dns_nameservers {dns}"
    yield "visible_hostname proxy.contoso.internal"
