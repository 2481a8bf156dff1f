"""What the bench needs of the machine: installs what is missing as root, and otherwise says what it is."""

import os
import subprocess
import sys
from pathlib import Path

from bench.peers import sslyze

# program -> Debian package
_PROGRAMS = {
    "/usr/sbin/unbound": "unbound",
    "/usr/sbin/haproxy": "haproxy",
    "/usr/sbin/nft": "nftables",
    "/bin/ip": "iproute2",
    "/usr/bin/time": "time",
    "/usr/bin/openssl": "openssl",
    "/usr/bin/curl": "curl",
    "/usr/bin/nslookup": "bind9-dnsutils",
    "/usr/bin/nmap": "nmap",
    "/usr/lib/nagios/plugins/check_http": "monitoring-plugins-basic",
    "/usr/bin/prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
}
_NO_DAEMONS = Path("/usr/sbin/policy-rc.d")


def install(*, peers: bool) -> None:
    """Debian packages, and sslyze in an environment of its own; without `peers` only what the servers and curl need."""
    wanted = _PROGRAMS if peers else dict(list(_PROGRAMS.items())[:7])
    if missing := sorted({package for program, package in wanted.items() if not Path(program).exists()}):
        if os.geteuid() != 0:
            raise SystemExit(f"bench: needs, as root: apt-get install {' '.join(missing)}")
        _apt(missing)
    if peers and not (sslyze.VENV / "bin" / "sslyze").exists():
        print(f"bench: sslyze {sslyze.VERSION} into {sslyze.VENV}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(sslyze.VENV)], check=True)
        pip = [str(sslyze.VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", f"sslyze=={sslyze.VERSION}"]
        subprocess.run(pip, check=True)


def _apt(packages: list[str]) -> None:
    """Installs them; no daemon of theirs is started."""
    print(f"bench: apt-get install {' '.join(packages)}", file=sys.stderr)
    made = not _NO_DAEMONS.exists()
    if made:
        _NO_DAEMONS.write_text("#!/bin/sh\nexit 101\n")
        _NO_DAEMONS.chmod(0o755)
    try:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-q", "update"], check=True, env=env, stdout=subprocess.DEVNULL)
        command = ["apt-get", "-q", "install", "-y", "--no-install-recommends", *packages]
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    finally:
        if made:
            _NO_DAEMONS.unlink()
