"""The cluster on the command line, as far as it goes without one: rights, manifests, image, and what is refused."""

from pathlib import Path

import msgspec
import pytest
import yaml

from preflight import __version__
from preflight.cli import load
from preflight.cli.clean import _age
from preflight.cli.options import Selection
from preflight.failures import ClusterFailure, UsageFailure
from preflight.model.plan import VantagePlan
from preflight.model.vocabulary import VantageKind

CONFIG = str(Path(__file__).parent / "golden" / "preflight.toml")


def test_rights_are_printed_as_objects_that_can_be_applied(preflight):
    code, out, _ = preflight("rbac", "--namespace", "pf", "--group", "0000-1111")
    objects = list(yaml.safe_load_all(out))
    assert code == 0
    assert [one["kind"] for one in objects] == [
        *("ClusterRole", "ClusterRoleBinding"),
        *("Role", "RoleBinding") * 3,
        *("ClusterRole", "ClusterRoleBinding") * 2,
    ]
    assert objects[3]["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "0000-1111"}]


@pytest.mark.parametrize("argv", [(), ("--user", "a", "--group", "b"), ("--service-account", "no-slash")])
def test_rights_are_for_exactly_one_subject(preflight, argv: tuple[str, ...]):
    code, _, err = preflight("rbac", *argv)
    assert code == 2
    assert "--service-account" in err


def test_manifests_hold_every_pool_and_no_secret(preflight):
    code, out, _ = preflight("manifests", "--config", CONFIG, "--probe-image", "r/p:1", "--run-id", "r1")
    objects = list(yaml.safe_load_all(out))
    assert code == 0
    assert [one["metadata"]["name"] for one in objects if one["kind"] == "Job"] == [
        "preflight-r1-node-system", "preflight-r1-pod-system", "preflight-r1-node-user1", "preflight-r1-pod-user1",
    ]  # fmt: skip
    assert not any(one["kind"] == "Secret" for one in objects)
    assert "preflight collect --kubeconfig FILE --namespace preflight --run-id r1" in out


def test_manifests_can_be_scheduled_and_narrowed(preflight):
    narrowed = ("--pool", "user1", "--vantage", "pod", "--schedule", "@daily")
    _, out, _ = preflight("manifests", "--config", CONFIG, "--probe-image", "r/p:1", *narrowed)
    objects = list(yaml.safe_load_all(out))
    assert [one["kind"] for one in objects] == ["Namespace", "ConfigMap", "CronJob"]


def test_manifests_beside_real_pods_wear_their_labels_and_make_no_namespace(preflight):
    there = (
        "--namespace",
        "default",
        "--vantage",
        "pod",
        "--pool",
        "user1",
        "--pod-label",
        "azuremlappname=azureml-fe",
    )
    _, out, _ = preflight("manifests", "--config", CONFIG, "--probe-image", "r/p:1", *there)
    objects = list(yaml.safe_load_all(out))
    assert [one["kind"] for one in objects] == ["ConfigMap", "Job"]
    template = objects[1]["spec"]["template"]
    assert template["metadata"]["labels"]["azuremlappname"] == "azureml-fe"
    assert template["spec"]["readinessGates"]


def test_the_image_is_the_one_in_the_customer_s_own_registry(preflight):
    code, out, _ = preflight("image", "--config", CONFIG)
    assert code == 0
    assert out.splitlines()[0] == f"acrprod.azurecr.io/preflight-probe:{__version__}"
    assert "az acr import --name acrprod" in out


def test_a_kubeconfig_that_is_not_there_is_a_usage_failure(preflight, tmp_path):
    code, _, err = preflight("run", "--config", CONFIG, "--kubeconfig", str(tmp_path / "none"), "--out", str(tmp_path))
    assert code == 2
    assert "--kubeconfig" in err


def test_a_cluster_that_is_not_reached_is_exit_3_when_nothing_else_was_asked_for(preflight, tmp_path):
    path = tmp_path / "config"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    argv = ("run", "--config", CONFIG, "--kubeconfig", str(path), "--vantage", "node,pod", "--out", str(tmp_path))
    code, _, err = preflight(*argv)
    assert code == 3
    assert "kube.unreachable" in err


def test_without_a_cluster_its_kinds_are_unknown_and_the_message_says_what_to_give():
    vantages = load.choose_vantages(None)
    assert vantages.names == ("workstation",)
    assert "--kubeconfig" in vantages.unavailable["node"][1]


def test_what_the_cluster_offers_takes_the_place_of_what_is_missing():
    inside = load.Inside(names=("node/a", "pod/a"), unavailable={"node/b": ("kube.no-usable-node", "cordoned")})
    vantages = load.choose_vantages(None, inside)
    assert vantages.names == ("workstation", "node/a", "pod/a")
    assert vantages.unavailable == {"node/b": ("kube.no-usable-node", "cordoned")}


def test_kinds_left_out_by_choice_stay_left_out():
    vantages = load.choose_vantages("pod", load.Inside(names=("pod/a",)))
    assert vantages.names == ("pod/a",)
    assert set(vantages.left_out) == {VantageKind.WORKSTATION, VantageKind.NODE}


def test_nothing_that_can_run_is_told_with_its_cause(tmp_path):
    catalogue, env = load.everything(Path(CONFIG), (), (), {})
    gone = load.Inside(unavailable={"pod": ("kube.forbidden", "may not create jobs")})
    with pytest.raises(ClusterFailure, match="may not create jobs") as caught:
        load.plan(catalogue, env, Selection(vantage="pod"), gone)
    assert caught.value.cause == "kube.forbidden"


def test_a_pool_that_does_not_apply_is_skipped_and_one_that_cannot_be_probed_is_unknown():
    catalogue, env = load.everything(Path(CONFIG), (), (), {})
    gaps = {"node/win": (None, "Windows"), "node/off": ("kube.no-usable-node", "stopped")}
    plan = load.plan(catalogue, env, Selection(), load.Inside(names=("node/a", "pod/a"), unavailable=gaps))
    told = {(one.vantage, one.status, one.cause) for one in plan.left_out if one.vantage in gaps}
    assert told == {("node/win", "skipped", None), ("node/off", "unknown", "kube.no-usable-node")}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)])
def test_an_age_is_read(text: str, seconds: int):
    assert _age(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1w"])
def test_what_is_no_age_is_refused(text: str):
    with pytest.raises(UsageFailure, match="older-than"):
        _age(text)


STANDS = [
    pytest.param(("--pod-label", "no-value"), "--pod-label no-value: is not KEY=VALUE", id="no label"),
    pytest.param(("--pod-label", "a b=c"), "--pod-label a b=c: is not KEY=VALUE", id="a label that Kubernetes refuses"),
    pytest.param(("--pod-as", "router", "--vantage", "node"), "--vantage leaves the pods out", id="no pod vantage"),
    pytest.param(("--pod-as", "proxy"), "'proxy' is not one of", id="an unknown role"),
]


@pytest.mark.parametrize(("argv", "words"), STANDS)
def test_a_place_for_pod_probes_that_cannot_be_is_refused_before_the_cluster_is_asked(preflight, tmp_path, argv, words):
    file = tmp_path / "kubeconfig"
    code, _, err = preflight("run", "--config", CONFIG, "--kubeconfig", str(file), "--out", str(tmp_path), *argv)
    assert code == 2
    assert words in err


def test_rights_beside_real_pods_are_printed_for_their_namespace(preflight):
    argv = ("--namespace", "pf", "--pod-namespace", "default", "--group", "0000-1111")
    code, out, _ = preflight("rbac", *argv)
    there = [one for one in yaml.safe_load_all(out) if one["metadata"]["name"] == "preflight-pods"]
    assert code == 0
    assert [(one["kind"], one["metadata"]["namespace"]) for one in there] == [
        ("Role", "default"),
        ("RoleBinding", "default"),
    ]


@pytest.mark.parametrize(
    ("content", "told"), [(b"token-of-the-pod\n", ""), (None, "No such file"), (b"\xff", "no token")]
)
def test_the_agent_reads_its_pod_s_token_from_a_file_and_goes_on_without(
    preflight, tmp_path, content: bytes | None, told: str
):
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(VantagePlan(run_id="r", vantage="pod/a", tasks=())))
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    code, out, err = preflight("agent", "--plan", str(plan), "--service-account-token", str(tmp_path / "token"))
    assert code == 0
    assert "token-of-the-pod" not in out + err
    assert told in err
