"""What `kill -9` leaves: it goes by itself when the first Job's time is over, and at once with `preflight clean`.

Comes last: the run that is to go by itself was killed when the suite began, since that takes three minutes.
"""

import time

import pytest
from clusters.world import World

pytestmark = pytest.mark.cluster


def test_what_a_killed_run_left_goes_by_itself(world: World, abandoned: tuple[str, float, float]):
    namespace, began, life_s = abandoned
    assert world.left_in(namespace) != [] or time.monotonic() > began + life_s  # and by no other hand before
    world.wait_for(
        lambda: world.left_in(namespace) == [], "the abandoned to go", max(0, began + life_s - time.monotonic()) + 60
    )


def test_a_killed_run_is_cleaned_up_by_the_command(world: World, slow: tuple[str, ...]):
    with world.start(world.out(), *slow, own_namespace=True) as going:
        world.wait_for_probe()
        going.kill()
        going.communicate(timeout=20)
    assert world.left() != []
    kept = world.call("clean", "--kubeconfig", world.kubeconfig, "--older-than", "1h")
    assert "nothing" in kept.stdout
    cleaned = world.call("clean", "--kubeconfig", world.kubeconfig)
    assert cleaned.returncode == 0
    assert "removed Namespace preflight-" in cleaned.stdout
    assert world.gone() == []
