"""Each scenario breaks something real in a real network; the unmodified command line must name it and nothing else."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from bed.expectation import mismatches
from bed.expectation import seen as said
from bed.scenario import scenarios, worlds

pytestmark = pytest.mark.e2e


def check(scenario, bed, folder, seen):
    """Several runs go on at once, as many as there are cores; each is judged."""
    with scenario.applied(bed), ThreadPoolExecutor(os.cpu_count()) as pool:
        for finished in pool.map(bed.workstation.run, [folder / str(number) for number in range(scenario.row.runs)]):
            words = said(scenario.row, finished.code, finished.run)
            wrong = mismatches(scenario.row, finished.code, finished.run)
            assert not wrong, f"{scenario.row.what}\n" + "\n".join(wrong) + f"\nreports: {folder}"
            assert words == seen.setdefault(scenario.name, words), "another run said something else"


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_what_is_broken_is_named_and_nothing_else(scenario, bed, tmp_path, seen):
    check(scenario, bed, tmp_path, seen)


@pytest.mark.parametrize("world", worlds(), ids=lambda world: world.name)
def test_a_healthy_world_stays_clean(world, bed, tmp_path, seen):
    check(world, bed, tmp_path, seen)
