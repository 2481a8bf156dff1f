"""Every kept input goes through its target again: seeds, and findings, each of which was a defect once."""

import pytest

from fuzz import corpus
from fuzz.table import MODULES, TARGETS
from fuzz.target import Depth

INPUTS = [(name, path) for name in TARGETS for path in corpus.files(name)]


@pytest.mark.parametrize(
    ("name", "path"), INPUTS, ids=[f"{name}/{path.parent.name}/{path.name}" for name, path in INPUTS]
)
def test_a_kept_input_goes_the_whole_way(name, path):
    TARGETS[name].run(path.read_bytes(), Depth.SHOWN)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_nothing_and_noise(name):
    for data in (b"", b"\x00", b"\xff" * 40, bytes(range(256)), b"\x00" + "\u202e\u0000\U000e0041²".encode() * 50):
        TARGETS[name].run(data, Depth.SHOWN)


def test_every_target_has_seeds_and_a_name_of_its_own():
    names = [target.name for module in MODULES for target in module.TARGETS]
    assert len(names) == len(set(names)) == len(TARGETS)
    assert [name for name in names if not list(corpus.seeds(name).iterdir())] == []


def test_no_folder_of_inputs_is_without_a_target():
    assert {path.name for path in corpus.FOLDER.iterdir()} == set(TARGETS)


def test_kept_inputs_are_small():
    large = [str(path) for name, path in INPUTS if path.stat().st_size > max(TARGETS[name].longest, 16_384)]
    assert large == []
