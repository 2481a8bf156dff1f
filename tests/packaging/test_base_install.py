"""The base install: what it can do, and what it says about what it lacks.

A folder of links holds only the distributions that the base needs, taken from this environment by their metadata, and a
Python without site-packages sees nothing else. So nothing is downloaded, and no import is faked.
"""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import preflight

OPTIONAL = ("jinja2", "rich", "kubernetes", "azure", "pytest", "playwright")


def closure(name: str, *, seen: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Top-level files and folders of a distribution and of everything that it needs, without extras of its own."""
    asked = Requirement(name)
    key = re.sub(r"[-_.]+", "-", asked.name).lower()
    if key in seen:
        return seen
    found = distribution(asked.name)
    tops = {path.parts[0] for path in found.files or [] if path.parts[0] not in {"..", "__pycache__"}}
    seen[key] = [Path(str(found.locate_file(top))) for top in tops]
    for text in found.requires or []:
        needed = Requirement(text)
        extras = [{"extra": extra} for extra in ("", *asked.extras)]
        if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
            try:
                closure(str(needed), seen=seen)
            except PackageNotFoundError:
                pytest.fail(f"{needed} is needed by {asked.name} and not installed")
    return seen


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    (folder / "preflight").symlink_to(Path(preflight.__file__).parent)  # first: an editable install lists no files
    for tops in closure("azureml-aks-preflight", seen={}).values():
        for top in tops:
            link = folder / top.name
            if top.exists() and not link.exists() and top.suffix != ".pth":
                link.symlink_to(top)
    return folder


def run(base: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    start = "import sys; sys.path.append(sys.argv.pop(1)); from preflight.cli.main import main; main()"
    command = [sys.executable, "-I", "-S", "-c", start, str(base), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, stdin=subprocess.DEVNULL)


def test_the_base_holds_no_optional_part(base: Path):
    names = {path.name for path in base.iterdir()}
    assert {"click", "dns", "httpx", "msgspec", "cryptography", "preflight"} <= names
    assert not names & set(OPTIONAL)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["agent", "--help"],
        ["run", "--help"],
        ["demo", "--help"],
        ["explain", "dns.nxdomain"],
        ["checks", "list"],
    ],
)
def test_the_base_install_can_do_this(base: Path, tmp_path: Path, arguments: list[str]):
    done = run(base, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["demo"], "all"),
        (["run", "--format", "html"], "report"),
    ],
)
def test_the_base_install_names_the_extra_that_is_missing(base: Path, tmp_path: Path, arguments: list[str], extra: str):
    done = run(base, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert f"pip install 'azureml-aks-preflight[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
