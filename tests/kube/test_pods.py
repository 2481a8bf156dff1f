"""What a pod's status says, read as one state."""

import msgspec
import pytest

from preflight.kube import pods
from preflight.kube.pods import Ended, PullFails, Running, Trouble, Unschedulable, Waiting
from preflight.model.causes import CAUSES


def pod(status: dict, **meta: object) -> dict:
    return {"metadata": {"name": "p", **meta}, "spec": {"nodeName": "node2"}, "status": status}


def container(**state: object) -> dict:
    return {"phase": "Running", "containerStatuses": [{"name": "probe", "state": state}]}


def ended(**more: object) -> dict:
    return container(terminated={"exitCode": 0, "reason": "Completed", "message": "preflight1:x", **more})


UNPLACED = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/2 nodes are available: 2 cordoned.",
        }
    ],
}
STATES = [
    pytest.param({}, Waiting, id="nothing yet"),
    pytest.param({"phase": "Pending"}, Waiting, id="pending"),
    pytest.param(UNPLACED, Unschedulable, id="unschedulable"),
    pytest.param(container(waiting={"reason": "ContainerCreating"}), Waiting, id="creating"),
    pytest.param(container(waiting={"reason": "ErrImagePull", "message": "x"}), PullFails, id="pull"),
    pytest.param(container(waiting={"reason": "ImagePullBackOff", "message": "Back-off"}), PullFails, id="back off"),
    pytest.param(container(running={"startedAt": "now"}), Running, id="running"),
    pytest.param(ended(), Ended, id="ended"),
    pytest.param(ended(exitCode=2, reason="Error", message="no such option"), Ended, id="failed"),
]
TROUBLES = [
    pytest.param(ended(exitCode=137, reason="OOMKilled"), "pod.out-of-memory", id="memory"),
    pytest.param(
        ended(exitCode=1, reason="Error", message="standard_init_linux.go:228: exec user process caused: exec format error"),
        "pod.wrong-architecture", id="architecture, runc 1.0",
    ),
    pytest.param(
        ended(exitCode=255, reason="Error", message="exec /opt/preflight/bin/preflight: exec format error"),
        "pod.wrong-architecture", id="architecture, runc 1.1",
    ),
    pytest.param(ended(exitCode=128, reason="StartError", message="exec: not found"), "pod.not-started", id="start"),
    pytest.param(
        container(waiting={"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}),
        "pod.not-started", id="secret",
    ),
    pytest.param({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}, "pod.evicted", id="evicted"),
    pytest.param({"phase": "Failed", "reason": "DeadlineExceeded"}, "pod.deadline", id="deadline"),
    pytest.param({"phase": "Failed", "reason": "OutOfcpu", "message": "x"}, "pod.not-started", id="kubelet refused"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), STATES)
def test_a_status_is_read(status: dict, kind: type):
    assert isinstance(pods.read(pod(status)), kind)


@pytest.mark.parametrize(("status", "cause"), TROUBLES)
def test_a_trouble_has_its_cause_and_names_the_node(status: dict, cause: str):
    state = pods.read(pod(status))
    assert isinstance(state, Trouble)
    assert state.cause == cause
    assert cause in CAUSES
    assert "node2" in state.text


def test_a_running_pod_that_is_being_deleted_is_gone():
    state = pods.read(pod(container(running={}), deletionTimestamp="2026-01-01T00:00:00Z"))
    assert isinstance(state, Trouble)
    assert state.cause == "pod.gone"


def test_a_pod_that_ended_before_it_was_deleted_has_ended():
    assert isinstance(pods.read(pod(ended(), deletionTimestamp="2026-01-01T00:00:00Z")), Ended)


def event(reason: str, message: str, at: str = "", kind: str = "Warning") -> dict:
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": at}


def test_the_event_keeps_the_reason_that_the_container_has_lost():
    events = [
        event("Failed", "Error: ImagePullBackOff", "3"),
        event("Failed", 'Failed to pull image "a": x509: certificate signed by unknown authority', "1"),
        event("BackOff", "Back-off pulling image", "4", "Normal"),
    ]
    assert "x509" in pods.pull_error(events, PullFails(text='Back-off pulling image "a"'))


def test_the_newest_refusal_of_the_job_s_controller_counts():
    events = [
        event("FailedCreate", "Error creating: pods is forbidden: exceeded quota: q, requested: pods=1", "2"),
        event("SuccessfulCreate", "Created pod", "1", "Normal"),
    ]
    found = pods.refused(events)
    assert found is not None
    assert found.cause == "pod.quota-exceeded"
    assert pods.refused(events[1:]) is None


def test_a_service_account_that_is_not_there_yet_is_no_refusal():
    text = 'Error creating: pods "p-" is forbidden: error looking up service account x/default: serviceaccount "default" not found'
    assert pods.refused([event("FailedCreate", text)]) is None


def test_states_are_values():
    assert msgspec.structs.asdict(Running(node="a")) == {"node": "a"}


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (container(waiting={"reason": "ContainerCreating"}), False),
        (container(waiting={"reason": "ErrImagePull", "message": "x"}), False),
        (container(waiting={"reason": "ImagePullBackOff"}), False),
        (container(waiting={"reason": "CreateContainerConfigError"}), True),
        (container(waiting={"reason": "RunContainerError"}), True),
        (ended(exitCode=128, reason="StartError", message="no such file"), True),
        (container(running={}), True),
        ({"phase": "Failed", "reason": "Evicted"}, False),
        ({}, False),
    ],
)
def test_a_container_that_came_to_its_start_had_its_image(state: dict, there: bool):
    assert pods.pulled(pod(state)) is there


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ('Successfully pulled image "r/a:1" in 1.915495086s', 1.915495086),
        ('Successfully pulled image "r/a:1" in 812.5ms (812.6ms including waiting)', 0.8125),
        ('Successfully pulled image "r/a:1" in 1m2.5s (1m3s including waiting). Image size: 123 bytes.', 62.5),
        ('Container image "r/a:1" already present on machine', None),
    ],
)
def test_how_long_a_pull_took_is_the_kubelet_s_word(said: str, seconds: float | None):
    events = [{"reason": "Pulled", "message": said}]
    assert pods.pull_took(events) == (pytest.approx(seconds) if seconds is not None else None)


def test_a_secret_that_is_missing_is_told_by_newer_kubelets():
    said = "Unable to retrieve some image pull secrets (acr); attempting to pull the image may not succeed."
    assert pods.secrets_missing([{"reason": "FailedToRetrieveImagePullSecret", "message": said}]) == said
    assert pods.secrets_missing([]) == ""


def test_a_long_message_keeps_its_end_and_no_signature():
    said = f'Failed to pull {"x" * 900}: Get "https://a.blob.test/layer?sig=s3cret&se=1": EOF'
    state = pods.read(pod(container(waiting={"reason": "ErrImagePull", "message": said})))
    assert isinstance(state, PullFails)
    assert state.text.endswith('Get "https://a.blob.test/layer?…": EOF')
    assert len(state.text) <= 600


def test_a_kubelet_that_lost_the_api_server_for_a_moment_is_waited_for():
    message = "failed to sync secret cache: timed out waiting for the condition"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    pod = {"spec": {"nodeName": "n1"}, "status": {"containerStatuses": [{"name": "probe", "state": waiting}]}}
    assert isinstance(pods.read(pod), pods.Waiting)
