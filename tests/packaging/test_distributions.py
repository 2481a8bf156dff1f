"""What is in the wheel and the sdist, and that the suite runs against the installed wheel. `make test` builds both."""

import configparser
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

import preflight
from preflight import resources
from preflight.model.causes import CAUSES

ROOT = Path(__file__).resolve().parents[2]
DIST = os.environ.get("PREFLIGHT_DIST", "")
built = pytest.mark.skipif(not DIST, reason="make test builds the distributions and names them in PREFLIGHT_DIST")


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    (path,) = (ROOT / DIST).glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def sdist_names() -> set[str]:
    (path,) = (ROOT / DIST).glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@built
def test_the_suite_runs_against_the_installed_wheel_not_the_checkout():
    assert "site-packages" in Path(preflight.__file__).parts
    assert Path(preflight.__file__).parent.parent != ROOT


@built
def test_the_wheel_carries_all_data_folders(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    checks = {f"preflight/_data/checks/{path.name}" for path in (ROOT / "checks").glob("*.toml")}
    assert checks
    assert checks <= names
    assert {f"preflight/_data/causes/{cause}.md" for cause in CAUSES} <= names
    reports = [path for path in (ROOT / "reports").rglob("*") if path.is_file() and path.name != ".gitkeep"]
    assert {f"preflight/_data/reports/{path.relative_to(ROOT / 'reports').as_posix()}" for path in reports} <= names


@built
def test_the_wheel_carries_nothing_but_the_package(wheel: zipfile.ZipFile):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"preflight", f"azureml_aks_preflight-{preflight.__version__}.dist-info"}
    assert "preflight/py.typed" in wheel.namelist()
    assert not [name for name in wheel.namelist() if name.endswith(".pyc") or "/tests/" in name]


@built
def test_the_wheel_has_one_command_and_its_license(wheel: zipfile.ZipFile):
    info = f"azureml_aks_preflight-{preflight.__version__}.dist-info"
    points = configparser.ConfigParser()
    points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    assert dict(points["console_scripts"]) == {"preflight": "preflight.__main__:main"}
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()


@built
def test_the_sdist_can_be_tested_and_built_from(sdist_names: set[str]):
    assert {"Makefile", "Dockerfile", "pyproject.toml", "README.md", "LICENSE", "tools/check_docs.py"} <= sdist_names
    assert {"checks/20-mcr.toml", "docs/causes/dns.nxdomain.md", "docs/architecture.md"} <= sdist_names
    assert "tests/packaging/test_distributions.py" in sdist_names
    assert not [name for name in sdist_names if name.startswith((".venv", "dist", "preflight-out"))]


@pytest.mark.parametrize("name", ["checks", "reports", "causes"])
def test_each_data_folder_is_found_where_this_package_is_installed(name: str):
    folder = resources.folder(name)
    assert folder.is_dir()
    assert any(folder.iterdir())
