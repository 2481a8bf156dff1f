"""A router that runs since before the proxy was changed is told, from the variables of its real pod."""

from collections.abc import Iterator

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
_ROUTER = """\
apiVersion: v1
kind: Pod
metadata:
  name: azureml-fe-stale
  namespace: default
  labels: {azuremlappname: azureml-fe}
spec:
  containers:
    - name: fe
      image: localhost/pause:3.4.1
      imagePullPolicy: IfNotPresent
      env: [{name: HTTPS_PROXY, value: "http://me:secret@old.corp:3128"}]
"""


@pytest.fixture
def stale_router(world: World, firewall: Kit) -> Iterator[None]:
    world.kubectl("apply", "-f", "-", stdin=_ROUTER)
    world.kubectl("-n", "default", "wait", "--for=condition=Ready", "pod/azureml-fe-stale", "--timeout=60s")
    yield
    world.kubectl("-n", "default", "delete", "pod", "azureml-fe-stale", "--grace-period=1")


@pytest.mark.usefixtures("stale_router")
def test_a_router_with_the_proxy_of_another_day_is_to_be_restarted(world: World):
    done = world.run("--vantage", "workstation,pod", "--only", "storage.table.*")
    assert done.code == 0, done.err
    assert set(done.findings) == {"router.restart-needed"}
    assert "default/azureml-fe-stale on node" in done.why("router.restart-needed")
    assert "HTTPS_PROXY http://old.corp:3128, now not set" in done.why("router.restart-needed")
    assert "me:secret" not in str(done.run)
