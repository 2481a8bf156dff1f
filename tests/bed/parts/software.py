"""Programs that no Debian package brings: Azurite from npm, mitmproxy from PyPI, in a cache folder outside the tree.

mitmproxy has an environment of its own, because it pins what preflight must be free to upgrade.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bed.namespaces import BedError

# 3.35.0 is the last Azurite for Node 20; mitmproxy 11.0.2 the last for Python 3.11.
_AZURITE = "3.35.0"
_MITMPROXY = "11.0.2" if sys.version_info < (3, 12) else "12.3.1"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "preflight-bed"

AZURITE_SCRIPT = _CACHE / f"azurite-{_AZURITE}" / "node_modules/azurite/dist/src/azurite.js"
MITMDUMP = _CACHE / f"mitmproxy-{_MITMPROXY}-{sys.version_info.major}.{sys.version_info.minor}" / "bin/mitmdump"


def install() -> None:
    """Both, if they are not there; raises `BedError` with what npm or pip said."""
    if not AZURITE_SCRIPT.exists():
        _whole(AZURITE_SCRIPT.parents[4], _azurite)
    if not MITMDUMP.exists():
        _whole(MITMDUMP.parents[1], _mitmproxy)


def _azurite(folder: Path) -> None:
    _run(
        "npm", "install", "--prefix", str(folder), "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts",
        f"azurite@{_AZURITE}",
    )  # fmt: skip


def _mitmproxy(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", str(folder))
    _run(str(folder / "bin/python"), "-m", "pip", "install", "-q", f"mitmproxy=={_MITMPROXY}")


def _whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """A folder that is there whole or not at all; a virtual environment has to be made where it stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        fill(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run(*command: str) -> None:
    with tempfile.TemporaryDirectory() as here:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
        except FileNotFoundError as error:
            raise BedError(f"not installed: {command[0]}") from error
    if done.returncode:
        raise BedError(f"{' '.join(command)} -> {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
