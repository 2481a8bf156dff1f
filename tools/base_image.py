"""Makes a small Debian root file system with Python, as base of our images where no registry can be reached.

`python3 tools/base_image.py FOLDER` downloads packages with this machine's own apt sources into an empty apt state (so
that the whole closure comes, whatever is installed here), unpacks them without running their scripts, and leaves
FOLDER/rootfs. Needs Debian, apt and dpkg; no root for the download, root for the file owners.
"""

import shutil
import subprocess
import sys
from pathlib import Path

# What `python:3-slim` has and our Dockerfile uses: a shell, the usual tools, Python, the public authorities.
PACKAGES = ("base-files", "ca-certificates", "coreutils", "dash", "findutils", "python3", "tzdata")
# Dependencies of maintainer scripts, which do not run here.
UNUSED = ("debconf", "dpkg", "perl-base", "openssl", "tar", "cdebconf")
MERGED = ("bin", "sbin", "lib", "lib64")
WEIGHT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bug")
USERS = "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"


def download(state: Path) -> list[Path]:
    """The .deb files of PACKAGES with everything that they depend on; those in `state` are not downloaded again."""
    archives = state / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    subprocess.run(
        [
            *("apt-get", "-q", "install", "--yes", "--download-only", "--no-install-recommends"),
            *("-o", f"Dir::State::status={state}/status"),
            *("-o", f"Dir::Cache::archives={archives}"),
            *("-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true"),
            *PACKAGES,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    return sorted(deb for deb in archives.glob("*.deb") if deb.name.partition("_")[0] not in UNUSED)


def unpack(debs: list[Path], root: Path) -> None:
    """Lay the packages into `root`, with /bin, /sbin and /lib merged into /usr as Debian has them."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        contents = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], check=True, stdout=subprocess.PIPE).stdout
        # --keep-directory-symlink: packages that ship /lib/... must follow the link, not replace it
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", str(root)], check=True, input=contents)


def finish(root: Path) -> None:
    """What the maintainer scripts would have done and our images need."""
    shell = root / "usr/bin/sh"
    if not shell.exists():
        shell.symlink_to("dash")
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(crt.read_text("ascii") for crt in authorities), "ascii")
    (root / "etc/passwd").write_text(USERS, "ascii")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n", "ascii")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", "ascii")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for folder in WEIGHT:
        shutil.rmtree(root / folder, ignore_errors=True)


def main() -> None:
    """Make FOLDER/rootfs anew."""
    folder = Path(sys.argv[1])
    root = folder / "rootfs"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    debs = download((folder / "apt").resolve())
    unpack(debs, root)
    finish(root)
    print(f"base: {len(debs)} Debian packages in {root}")


if __name__ == "__main__":
    main()
