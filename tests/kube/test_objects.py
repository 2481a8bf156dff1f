"""What a run creates: labelled, owned, bounded, restricted, and without a secret in clear."""

import json
import re

import msgspec
import pytest

from preflight.kube import manifests, objects, pools, pull_jobs, rights, text
from preflight.kube.objects import Answerer, Probe, Terms
from preflight.kube.pools import Expression, Place
from preflight.model.vocabulary import VantageKind

TERMS = Terms(
    run_id="0123456789ab",
    namespace="ns",
    start_s=330,
    run_s=300,
    expires="2026-01-01T00:00:00Z",
    pull_secrets=("pull",),
)
OWNER = {"metadata": {"name": "first", "uid": "u1"}}


def a_place(vantage: str = "node/user1") -> Place:
    kind = VantageKind(vantage.partition("/")[0])
    return Place(
        vantage=vantage,
        kind=kind,
        pool=vantage.split("/")[1],
        expressions=(Expression(key="agentpool", operator="In", values=("user1",)),),
        tolerations=({"key": "spot", "operator": "Exists", "effect": "NoSchedule"},),
    )


def a_job(vantage: str = "node/user1", **more) -> dict:
    probe = Probe(place=a_place(vantage), image="r/p@sha256:aa", plan_map="plan", **more)
    return objects.job(TERMS, probe, owner=OWNER)


def a_pull(**more) -> dict:
    made = {"node": "aks-user1-0", "image": "r/ml:1", "key": "pull:r:443", "secrets": ("acr",), **more}
    return pull_jobs.job(TERMS, pull_jobs.Pull(place=a_place(), **made), owner=OWNER)


EVERYTHING = [
    objects.namespace(TERMS, (VantageKind.NODE,)),
    objects.anchor(TERMS),
    objects.plan_map(TERMS, "plan", "{}", owner=OWNER),
    objects.secret(TERMS, "s", {"A": "eA=="}, owner=OWNER),
    a_job("node/user1"),
    a_job("pod/user1"),
    objects.answerer_job(TERMS, Answerer(place=a_place("pod/user1"), image="r/p:1", ports=(5001,)), owner=OWNER),
    pull_jobs.secret(TERMS, "p", "e30=", owner=OWNER),
    a_pull(),
]


@pytest.mark.parametrize("one", EVERYTHING, ids=lambda one: one["kind"])
def test_every_object_carries_our_label_and_the_run(one: dict):
    assert one["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "preflight"
    assert one["metadata"]["labels"][objects.RUN] == TERMS.run_id
    assert one["metadata"]["annotations"][objects.EXPIRES] == TERMS.expires
    if one["kind"] == "Job":
        assert one["spec"]["template"]["metadata"]["labels"] == one["metadata"]["labels"]


def test_the_first_job_owns_the_others_and_starts_nothing():
    first, probe = objects.anchor(TERMS), a_job()
    assert first["spec"]["parallelism"] == 0
    assert "ownerReferences" not in first["metadata"]
    assert probe["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "first", "uid": "u1"}
    ]
    assert (first["spec"]["parallelism"], first["spec"]["completions"]) == (0, 0)  # complete at once, by itself
    ends = probe["spec"]["activeDeadlineSeconds"]
    assert first["spec"]["ttlSecondsAfterFinished"] == TERMS.life_s > ends > TERMS.start_s + TERMS.run_s


@pytest.mark.parametrize("vantage", ["node/user1", "pod/user1"])
def test_a_probe_fits_the_restricted_profile_but_for_the_node_s_network(vantage: str):
    pod = a_job(vantage)["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["hostNetwork"] is (vantage == "node/user1")
    assert pod["dnsPolicy"] == ("Default" if vantage == "node/user1" else "ClusterFirst")
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPath" in volume for volume in pod["volumes"])
    assert set(container["resources"]) == {"requests", "limits"}


def test_a_probe_runs_once_and_ends_by_itself():
    spec = a_job()["spec"]
    assert (spec["backoffLimit"], spec["parallelism"], spec["completions"]) == (0, 1, 1)
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_secrets_come_by_reference_only():
    job = a_job(secret="s", variables=("PREFLIGHT_SECRET_A",))
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0] == {"name": "PREFLIGHT_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert env[1:] == [
        {"name": "PREFLIGHT_SECRET_A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "PREFLIGHT_SECRET_A"}}}
    ]
    assert [one["name"] for one in a_job()["spec"]["template"]["spec"]["containers"][0]["env"]] == ["PREFLIGHT_NODE"]


def an_answering_job(vantage: str = "pod/user1") -> dict:
    return objects.answerer_job(TERMS, Answerer(place=a_place(vantage), image="r/p:1", ports=(5001, 8000)), owner=OWNER)


@pytest.mark.parametrize("vantage", ["pod/user1", "node/user1"])
def test_a_pod_that_answers_has_its_ports_and_nothing_to_hide(vantage: str):
    job = an_answering_job(vantage)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["agent", "--listen", "5001,8000"]
    assert container["startupProbe"]["tcpSocket"] == {"port": 5001}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]} == {"spec.nodeName", "status.podIP"}
    assert "volumes" not in pod
    assert pod["hostNetwork"] is vantage.startswith("node")
    assert pod["automountServiceAccountToken"] is False
    assert job["spec"]["activeDeadlineSeconds"] == TERMS.deadline_s
    assert job["metadata"]["name"] != a_job(vantage)["metadata"]["name"]


def test_a_pod_that_answers_is_never_read_as_a_probe():
    template = an_answering_job()["spec"]["template"]["metadata"]
    assert "annotations" not in template
    assert template["labels"]["preflight/role"] == "answers"


def test_a_probe_that_asks_stands_apart_from_the_pod_that_answers_where_it_can():
    affinity = a_job("pod/user1", apart=True)["spec"]["template"]["spec"]["affinity"]
    (term,) = affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    labels = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert labels.items() <= an_answering_job()["spec"]["template"]["metadata"]["labels"].items()
    assert "podAntiAffinity" not in a_job("pod/user1")["spec"]["template"]["spec"]["affinity"]


def test_the_namespace_admits_what_the_run_needs_and_no_more():
    levels = {
        kinds: objects.namespace(TERMS, kinds)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for kinds in ((VantageKind.POD,), (VantageKind.NODE, VantageKind.POD))
    }
    assert list(levels.values()) == ["restricted", "privileged"]


@pytest.mark.parametrize(
    "vantage", ["node/p", "pod/" + "x" * 80, "node/user1/aks-user1-12345678-vmss000000", "pod/Caps_and.dots"]
)
def test_a_job_s_name_is_a_valid_one_and_leaves_room_for_suffixes(vantage: str):
    name = objects.job_name(TERMS, a_place(vantage), attempt=2)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 52


def test_names_of_alike_places_differ():
    places = ["node/a.b", "node/a-b", "node/A-b", "pod/a-b", "node/" + "x" * 60, "node/" + "x" * 61]
    assert len({objects.job_name(TERMS, a_place(one)) for one in places}) == len(places)


def test_all_selectors_match_nothing_but_our_own():
    assert objects.selector() == "app.kubernetes.io/managed-by=preflight"
    assert objects.selector("r1") == f"app.kubernetes.io/managed-by=preflight,{objects.RUN}=r1"


def a_sheet(**more) -> manifests.Sheet:
    places = (a_place("node/user1"), a_place("pod/user1"))
    values = {
        "terms": TERMS, "image": "r/p:1", "places": places,
        "plans": {VantageKind.NODE: "{}", VantageKind.POD: "{}"},
        "variables": {VantageKind.POD: ("PREFLIGHT_SECRET_A",)},
    }  # fmt: skip
    return manifests.Sheet(**(values | more))


def test_manifests_are_what_a_run_creates_without_owner_and_without_expiry():
    found = manifests.build(a_sheet())
    assert [one["kind"] for one in found] == ["Namespace", "ConfigMap", "ConfigMap", "Job", "Job"]
    assert "ownerReferences" not in json.dumps(found)
    assert objects.EXPIRES not in json.dumps(found)
    assert "secretKeyRef" not in json.dumps(found[3])
    assert manifests.SECRET in json.dumps(found[4])


def test_a_schedule_makes_cron_jobs_of_the_same_probes():
    jobs, crons = manifests.build(a_sheet()), manifests.build(a_sheet(schedule="0 6 * * *"))
    cron = crons[-1]
    assert (cron["apiVersion"], cron["kind"], cron["spec"]["schedule"]) == ("batch/v1", "CronJob", "0 6 * * *")
    assert cron["spec"]["jobTemplate"]["spec"]["template"] == jobs[-1]["spec"]["template"]
    assert "ttlSecondsAfterFinished" not in cron["spec"]["jobTemplate"]["spec"]


def test_yaml_gives_the_objects_back():
    import yaml

    found = manifests.build(a_sheet())
    assert list(yaml.safe_load_all(text.to_yaml(found))) == json.loads(json.dumps(found))


SUBJECT = {"kind": "User", "name": "u"}


def test_the_printed_roles_grant_exactly_what_a_run_asks_for():
    for namespace in (None, "ns"):
        roles = rights.roles("preflight", SUBJECT, namespace=namespace)
        granted = {
            (group, resource, verb)
            for role in roles
            for rule in role.get("rules", [])
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        needed = (*rights.needed(own_namespace=namespace is None), *rights.LOOKS, *rights.ROUTER, *rights.POLICIES)
        assert granted == {(one.group, one.resource, verb) for one in needed for verb in one.verbs}


def test_in_a_given_namespace_only_looks_are_asked_for_in_the_whole_cluster():
    roles = rights.roles("preflight", SUBJECT, namespace="ns")
    cluster = [role for role in roles if role["kind"] == "ClusterRole"]
    assert [(one["metadata"]["name"], [rule["resources"][0] for rule in one["rules"]]) for one in cluster] == [
        ("preflight", ["nodes"]),
        ("preflight-router", ["deployments", "subjectaccessreviews"]),  # these two may be left out
        (
            "preflight-policies",
            ["pods", "namespaces", "networkpolicies", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"],
        ),
    ]
    assert not any(
        "secrets" in rule["resources"] and "list" in rule["verbs"] for role in roles for rule in role.get("rules", [])
    )


def test_a_missing_right_reads_as_kubectl_says_it():
    right = next(one for one in rights.needed(own_namespace=False) if one.resource == "jobs")
    assert str(rights.Missing(right=right, verbs=("create", "list"))) == "create, list jobs.batch"


def test_the_default_label_is_aks_s():
    assert pools.POOL_LABEL == "agentpool"


def beside(vantage: str = "pod/user1", labels: dict | None = None) -> dict:
    place = msgspec.structs.replace(
        a_place(vantage), namespace="default", labels=labels or {"azuremlappname": "azureml-fe"}
    )
    return objects.job(TERMS, Probe(place=place, image="r/p@sha256:aa", plan_map="plan"), owner=OWNER)


def test_a_probe_beside_real_pods_wears_their_labels_and_is_never_ready():
    template = beside()["spec"]["template"]
    assert template["metadata"]["labels"] == {"azuremlappname": "azureml-fe", **objects.labels(TERMS.run_id)}
    assert template["spec"]["readinessGates"] == [{"conditionType": "preflight/never-ready"}]
    assert "readinessGates" not in a_job("pod/user1")["spec"]["template"]["spec"]


def test_labels_by_which_a_run_finds_its_pods_again_are_never_another_s():
    theirs = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "x", "app.kubernetes.io/name": "fe"}
    worn = beside(labels=theirs)["spec"]["template"]["metadata"]["labels"]
    assert worn == {**objects.labels(TERMS.run_id), "app.kubernetes.io/name": "fe"}
    assert beside(labels=theirs)["metadata"]["labels"] == objects.labels(TERMS.run_id)


def test_rights_beside_real_pods_are_those_of_a_given_namespace_and_a_look_at_its_services():
    roles = rights.roles("preflight", SUBJECT, namespace="ns", beside="default")
    there = next(one for one in roles if one["metadata"]["name"] == "preflight-pods")
    assert there["metadata"]["namespace"] == "default"
    granted = {(rule["resources"][0], *rule["verbs"]) for rule in there["rules"]}
    assert ("services", "list") in granted
    assert ("jobs", "create", "delete", "list") in granted


def test_a_token_is_projected_for_ten_minutes_and_only_where_it_is_asked_for():
    with_token, without = (a_job("pod/user1", token=token)["spec"]["template"]["spec"] for token in (True, False))
    assert "serviceAccountToken" not in json.dumps(without)
    assert with_token["automountServiceAccountToken"] is False
    (volume,) = [one for one in with_token["volumes"] if one["name"] == "token"]
    assert volume["projected"]["sources"] == [{"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}]
    (container,) = with_token["containers"]
    mount = next(one for one in container["volumeMounts"] if one["name"] == "token")
    assert mount["readOnly"]
    assert container["args"][-2:] == ["--service-account-token", f"{mount['mountPath']}/token"]


def test_a_pod_that_pulls_asks_the_registry_on_one_node_and_starts_nothing():
    pod = a_pull()["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("r/ml:1", "Always")
    assert container["command"] == [pull_jobs.NO_PROGRAM]
    assert pod["imagePullSecrets"] == [{"name": "acr"}]
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["aks-user1-0"]}]}]
    assert "hostNetwork" not in pod
    assert "volumes" not in pod


def test_pulls_have_names_of_their_own_and_are_no_vantage_to_collect():
    names = {a_pull(key=key)["metadata"]["name"] for key in ("pull:r:443", "pull:mcr:443")} | {
        a_job()["metadata"]["name"]
    }
    assert len(names) == 3
    assert all(len(name) <= 52 for name in names)
    assert objects.VANTAGE not in a_pull()["spec"]["template"]["metadata"]["annotations"]


def test_the_node_s_certificates_are_mounted_only_when_asked_for_and_read_only():
    plain, asked = (a_job(node_trust=wanted)["spec"]["template"]["spec"] for wanted in (False, True))
    assert not any("hostPath" in volume for volume in plain["volumes"])
    volume = next(one for one in asked["volumes"] if "hostPath" in one)
    assert volume["hostPath"]["path"] == "/etc/ssl/certs"
    mount = next(one for one in asked["containers"][0]["volumeMounts"] if one["name"] == volume["name"])
    assert mount["readOnly"] is True
    assert asked["containers"][0]["args"][-2:] == ["--node-trust", mount["mountPath"]]
