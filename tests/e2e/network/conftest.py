"""The bed for this folder's tests, which need a process of their own: it installs, then enters a namespace for good.

A pytest run of other folders as well ignores this one: `python -m pytest tests/e2e/network`, or `make network`.
"""

from pathlib import Path

import pytest
from bed import install, namespaces
from bed.whole import Bed

_HERE = Path(__file__).resolve().parent
_SEEN = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="K/N", help="every N-th test, from the K-th: parts can run side by side")
    parser.addoption("--write-scenarios", action="store_true", help="write docs/scenarios.md from what is seen")


def _alone(config: pytest.Config) -> bool:
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
    return all(path.is_relative_to(_HERE) for path in paths)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = {}
    if _alone(config) and not config.option.collectonly:
        install.install()
        namespaces.enter()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if _alone(config) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One part of the tests, whatever their order; the page is compared when everything has been seen."""
    if config.option.part:
        which, _, parts = config.option.part.partition("/")
        names = sorted(item.nodeid for item in items)
        mine = set(names[int(which) - 1 :: int(parts)])
        items[:] = [item for item in items if item.nodeid in mine or item.path.name == "test_page.py"]
    items.sort(key=lambda item: item.path.name == "test_page.py")


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    bed = Bed(tmp_path_factory.mktemp("bed"))
    bed.start()
    yield bed
    bed.stop()


@pytest.fixture
def bed(running):
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def seen(request) -> dict[str, str]:
    """Name of a scenario or world -> what its runs said, filled by their tests."""
    return request.config.stash[_SEEN]
