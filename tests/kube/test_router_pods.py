"""The router's pods as the API server has them: running ones, without logins, bounded, and hostile text as text."""

import pytest

from preflight.kube.router_pods import MOST, read


def a_pod(*env: dict, phase: str = "Running", labels: dict | None = None, **meta) -> dict:
    return {
        "metadata": {"name": "azureml-fe-1", "namespace": "default", "labels": labels or {}, **meta},
        "spec": {"nodeName": "n1", "containers": [{"name": "sidecar"}, {"name": "fe", "env": list(env)}]},
        "status": {"phase": phase, "startTime": "2026-10-01T00:00:00Z"},
    }


def test_proxy_variables_are_read_in_any_case_and_without_logins():
    (one,) = read([a_pod({"name": "HTTPS_PROXY", "value": "http://me:secret@proxy:3128"}, {"name": "A", "value": "b"})])
    assert one.proxies == {"https_proxy": "http://proxy:3128"}
    assert (one.node, one.started) == ("n1", "2026-10-01T00:00:00Z")


def test_a_value_from_another_object_is_not_known():
    reference = {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert read([a_pod(reference)])[0].proxies == {}


@pytest.mark.parametrize("pod", [a_pod(phase="Pending"), a_pod(labels={"app.kubernetes.io/managed-by": "preflight"})])
def test_pods_that_do_not_run_and_our_own_are_no_router(pod: dict):
    assert read([pod]) == ()


def test_the_annotation_that_keeps_aks_away_is_read():
    (one,) = read([a_pod(annotations={"kubernetes.azure.com/no-http-proxy-vars": "True"})])
    assert one.exempt


@pytest.mark.parametrize("pod", [{}, {"metadata": 1}, {"status": {"phase": "Running"}, "spec": {"containers": "x"}}])
def test_what_is_no_pod_is_nothing_or_empty(pod: dict):
    assert all(one.proxies == {} for one in read([pod]))


def test_many_pods_are_bounded_and_the_oldest_come_first():
    pods = [a_pod(name=f"p{number:03}") for number in range(100)]
    pods[7]["status"]["startTime"] = "2025-01-01T00:00:00Z"
    found = read(pods)
    assert len(found) == MOST
    assert found[0].name == "p007"
