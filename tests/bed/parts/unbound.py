"""unbound as the corporate resolver: forwards everything to Azure's DNS, and misbehaves per name at run time.

It keeps no cache, so that a fault is seen at once; what it says of a name is switched over its control socket. With
its default of ten TCP clients it cuts some when everything is truncated, as the whole machine's lookups come at once.
"""

from enum import StrEnum
from pathlib import Path

from bed.namespaces import BedError, Namespace
from bed.parts.program import Program

_PLAIN = ""
_STRIPPING = "".join(f"  private-address: {each}\n" for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


class Answer(StrEnum):
    """What it does with a name and everything below: unbound's own zone types. SERVFAIL is what it makes of an upstream
    that refuses."""

    NXDOMAIN = "always_nxdomain"
    NODATA = "always_nodata"
    REFUSED = "always_refuse"
    SILENCE = "always_deny"
    SINKHOLE = "always_null"
    TRUNCATED = "truncate"


class Unbound:
    """One instance on one address of a namespace."""

    def __init__(self, namespace: Namespace, folder: Path, address: str, upstream: str) -> None:
        self._namespace, self._folder = namespace, folder / f"unbound-{address}"
        self.address, self._upstream = address, upstream
        self._program = Program(namespace, f"unbound-{address}", 53)
        self._stripping = False

    def start(self) -> None:
        """Write the configuration and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._text(_PLAIN))
        self._program.start("unbound", "-d", "-p", "-c", str(self._config))

    def wait(self) -> None:
        """Return when it listens."""
        self._program.wait()

    def answer(self, name: str, answer: Answer) -> None:
        """From now on, for this name and below."""
        self._control("local_zone", f"{name}.", answer.value)

    def record(self, name: str, *records: str) -> None:
        """A zone of its own for this name with these records ("A 10.1.2.3"): split horizon, or an old answer."""
        self._control("local_zone", f"{name}.", "static")
        for record in records:
            self._control("local_data", f"{name}. 1 IN {record}")

    def forward(self, zone: str, server: str) -> None:
        """A zone is asked for at another server: a delegation, right or lame."""
        self._control("forward_add", f"{zone}.", server)

    def strip_private(self, *, on: bool = True) -> None:
        """Protection against DNS rebinding: private addresses are taken out of answers."""
        if on is not self._stripping:
            self._config.write_text(self._text(_STRIPPING if on else _PLAIN))
            self._control("reload")
            self._stripping = on

    def reset(self) -> None:
        """Forward everything again and forget all: a name that it could not resolve it refuses for seconds more."""
        self._config.write_text(self._text(_PLAIN))
        self._control("reload")
        self._stripping = False

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    @property
    def _config(self) -> Path:
        return self._folder / "unbound.conf"

    def _control(self, *words: str) -> None:
        done = self._namespace.run("unbound-control", "-c", str(self._config), *words, check=False)
        if done.returncode or done.stdout.startswith("error"):
            raise BedError(f"unbound-control {words!r}: {done.stdout}{done.stderr}")

    def _text(self, protection: str) -> str:
        return f"""\
server:
  interface: {self.address}
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "{self._folder}"
  pidfile: ""
  use-syslog: no
  verbosity: 1
  num-threads: 1
  module-config: "iterator"
  do-ip6: no
  incoming-num-tcp: 100
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  infra-host-ttl: 0
  msg-cache-size: 1m
  rrset-cache-size: 1m
{protection}\
forward-zone:
  name: "."
  forward-addr: {self._upstream}
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "{self._folder}/control"
"""
