"""Probe images that do not come, or are not the probe: each is one finding at its place, and the others go on."""

import pytest
from clusters.images import FOREIGN_PROGRAM, HUNGRY_PROGRAM, Image
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
FOREIGN, HUNGRY = "localhost/foreign-program:1", "localhost/hungry-program:1"
ELSEWHERE = "plain.k8s.test:5000/tests/arm64-only:1"
HANGS = "stub.k8s.test:5006/xhang/probe:1"
SLEEPS = "localhost/pause:3.4.1"
PULLS = [
    pytest.param("nosuch.k8s.test/probe:1", "pull.name-unknown", id="unresolvable"),
    pytest.param("refused.k8s.test:5999/probe:1", "pull.refused", id="refused"),
    pytest.param("untrusted.k8s.test:5445/lib/probe:1", "pull.untrusted", id="untrusted"),
    pytest.param("auth.k8s.test:5444/lib/probe:1", "pull.unauthorized", id="401"),
    pytest.param("stub.k8s.test:5006/x403/probe:1", "pull.denied", id="403"),
    pytest.param("registry.k8s.test:5443/nosuch/probe:1", "pull.not-found", id="404"),
    pytest.param("stub.k8s.test:5006/x503/probe:1", "pull.server-error", id="503"),
    pytest.param("localhost/notthere:1", "pull.not-on-node", id="local"),
    pytest.param("BAD/Name:1", "pull.bad-name", id="bad name"),
    pytest.param(ELSEWHERE, "pull.wrong-platform", id="arm64 only"),
    pytest.param(HANGS, "pull.no-answer", id="hangs"),
    pytest.param(FOREIGN, "pod.wrong-architecture", id="exec format error"),
    pytest.param(HUNGRY, "pod.out-of-memory", id="hungry"),
    pytest.param("localhost/toolbox:1", "pod.not-started", id="another program"),
    pytest.param(SLEEPS, "pod.deadline", id="never speaks"),
]
LIMITS = {HANGS: ("--start-deadline", "8"), SLEEPS: ("--check-deadline", "5", "--deadline", "5")}
WHERE = ("--vantage", "workstation,pod", "--pool", "user1", "--only", "storage.blob.*")


@pytest.fixture(scope="module")
def tried(kit: Kit | None, session_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """One run for each image, a few at once."""
    if kit is None:
        pytest.skip("needs CLUSTER_KIT: registries that fail on purpose")
    folder = tmp_path_factory.mktemp("images")
    for name, program in {FOREIGN: FOREIGN_PROGRAM, HUNGRY: HUNGRY_PROGRAM}.items():
        kit.load(Image(program=program).archive(folder / "image.tar", name))
    registry = f"http://{kit.settings['NODE1_IP']}:5000"
    Image(program=FOREIGN_PROGRAM, architecture="arm64").push(registry, "tests/arm64-only", "1")
    images = [str(param.values[0]) for param in PULLS]
    runs = session_world.run_all([(*WHERE, "--probe-image", one, *LIMITS.get(one, ())) for one in images])
    return dict(zip(images, runs, strict=True))


@pytest.mark.parametrize(("image", "cause"), PULLS)
def test_an_image_that_does_not_run_has_its_cause(world: World, tried: dict[str, Finished], image: str, cause: str):
    done = tried[image]
    assert done.code == 3
    assert done.findings == {cause: {"pod/user1"}}
    assert done.statuses("pod/user1") == {"unknown"}
    assert done.vantages["workstation"]["complete"]


def test_the_next_image_is_tried_and_the_first_is_told(world: World):
    done = world.run(
        "--vantage", "workstation,pod", "--probe-image", "nosuch.invalid/probe:1", "--probe-image", world.image
    )
    inside = {name: one for name, one in done.vantages.items() if name != "workstation"}
    assert all(one["complete"] for one in inside.values()), done.err
    assert any("nosuch.invalid/probe:1 could not be used" in notice for notice in done.run["notices"])
