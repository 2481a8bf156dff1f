"""What a schedule started is collected: the newest that has ended at each place, whatever else runs."""

import json
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
NAMESPACE, RUN = "pf-cron", "cron1"
WHAT = ("--vantage", "pod", "--only", "storage.blob.*")


def job(world: World, cron: str, name: str) -> str:
    """What the schedule would start."""
    world.kubectl("-n", NAMESPACE, "create", "job", name, f"--from=cronjob/{cron}")
    return name


def test_the_newest_result_of_a_schedule_is_collected(world: World, firewall: Kit, tmp_path: Path):
    printed = world.call(
        "manifests", "--config", str(world.config), "--probe-image", world.image, "--namespace", NAMESPACE,
        "--run-id", RUN, "--pool", "user1", "--schedule", "0 6 * * *", *WHAT,
    )  # fmt: skip
    assert printed.returncode == 0, printed.stderr
    # The test cluster is of 2020 and has the same objects in beta; the rest of the YAML is as printed.
    world.kubectl(
        "apply", "-f", "-", stdin=printed.stdout.replace("batch/v1\nkind: CronJob", "batch/v1beta1\nkind: CronJob")
    )
    try:
        keys = [
            f"--from-literal=PREFLIGHT_SECRET_{name.removeprefix('PREFLIGHT_LAB_')}={value}"
            for name, value in world.environ.items()
        ]
        world.kubectl("-n", NAMESPACE, "create", "secret", "generic", "preflight-credentials", *keys)
        (cron,) = world.kubectl("-n", NAMESPACE, "get", "cronjobs", "-o", "name").split()
        first = job(world, cron.partition("/")[2], "first")
        world.kubectl("-n", NAMESPACE, "wait", "--for=condition=complete", f"job/{first}", "--timeout=60s")
        address = firewall.address_of("stmlprod.blob.core.windows.net")
        firewall.fw("drop", "--from", "user1", "--to", address, "--port", "443")
        second = job(world, cron.partition("/")[2], "second")
        world.kubectl("-n", NAMESPACE, "wait", "--for=condition=complete", f"job/{second}", "--timeout=90s")
        done = collected(world, tmp_path / "both")
        assert done["findings"][0]["cause"] == "tcp.timeout"
        assert done["vantages"][0]["complete"]
        firewall.fw("clear")
        world.kubectl("-n", NAMESPACE, "delete", "job", second, "--wait=true")
        assert collected(world, tmp_path / "one")["exit_code"] == 0
    finally:
        world.kubectl("delete", "namespace", NAMESPACE)


def collected(world: World, out: Path) -> dict:
    world.call(
        "collect", "--config", str(world.config), "--kubeconfig", world.kubeconfig, "--namespace", NAMESPACE,
        "--run-id", RUN, "--out", str(out), "--format", "json", *WHAT,
    )  # fmt: skip
    return json.loads((out / "run.json").read_text())
