"""What the bed needs of the machine, and how it gets there: quick when it is present, installed when root, else said.

Run before the namespace is entered: afterwards there is no network. No daemon may start by itself.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bed.namespaces import BedError
from bed.parts import software

APT = (
    "iproute2",  # namespaces, links, routes
    "nftables",  # the firewall
    "iptables",  # iptables-nft: the NFQUEUE rule of delays, which nft cannot write on every kernel
    "faketime",  # a wrong clock
    "unbound",  # the corporate resolver
    "dnsmasq-base",  # another one
    "squid",  # the proxy
    "openssl",  # its passwords
    "haproxy",  # the SNI filter, and the front of the registries
    "docker-registry",  # MCR and ACR
    "util-linux",  # setpriv: a program that is not root ends with the tests too
)
NODE = ("nodejs", "npm")  # Azurite; whatever Node is there will do
_POLICY = Path("/usr/sbin/policy-rc.d")


def install() -> None:
    """Everything there, or `BedError` that says what is missing."""
    apt(APT if shutil.which("node") and shutil.which("npm") else (*APT, *NODE))
    software.install()


def apt(packages: Sequence[str]) -> None:
    """Debian packages."""
    missing = [package for package in packages if not _installed(package)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise BedError(f"needs as root: apt-get install {' '.join(missing)}")
    with _no_daemons():
        _run("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "update")
        _run("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends", *missing)


def _installed(package: str) -> bool:
    try:
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise BedError("the bed is made for Debian and Ubuntu: there is no dpkg here") from error
    return "ok installed" in asked.stdout


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian starts what it installs, unless a policy says no."""
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _POLICY.unlink()


def _run(*argv: str) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"{' '.join(argv)} -> {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    install()
