"""One watch that breaks in every way loses nothing and doubles nothing."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.kube import watch
from preflight.kube.client import Access, connect
from preflight.kube.watch import Board

PODS = "/api/v1/namespaces/x/pods"


def pod(job: str, version: str, phase: str = "Pending") -> dict:
    meta = {"name": f"{job}-abcde", "labels": {"job-name": job}, "resourceVersion": version}
    return {"metadata": meta, "status": {"phase": phase}}


def event(kind: str, item: dict) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def listed(version: str, *items: dict) -> Reply:
    return Reply(body={"metadata": {"resourceVersion": version}, "items": list(items)})


@contextlib.asynccontextmanager
async def following(tmp_path, *replies: Reply) -> AsyncIterator[tuple[Board, list[str]]]:
    """Replies in order; then watches that stay silent."""
    left = list(replies)

    def script(_method: str, _target: str) -> Reply:
        return left.pop(0) if left else Reply(chunks=(b"\n",), hold_s=30)

    board = Board()
    async with served(script) as (port, seen), connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client:
        task = asyncio.create_task(watch.follow(client, PODS, "a=b", board))
        try:
            yield board, seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch, "_FIRST_PAUSE_S", 0.01)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


async def phase(board: Board, job: str, wanted: str) -> None:
    async with asyncio.timeout(10):
        while (board.pod(job) or {}).get("status", {}).get("phase") != wanted:
            await board.changed(job, board.pod(job), 5)


async def test_what_was_there_before_and_what_changes_are_both_seen(tmp_path):
    replies = (listed("5", pod("one", "4")), Reply(chunks=(event("MODIFIED", pod("one", "6", "Running")),), hold_s=30))
    async with following(tmp_path, *replies) as (board, seen):
        await phase(board, "one", "Running")
    assert "resourceVersion=5" in seen[1]


async def test_a_watch_that_ends_goes_on_from_the_last_version(tmp_path):
    first = Reply(chunks=(event("ADDED", pod("one", "6")), event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})))
    second = Reply(chunks=(event("MODIFIED", pod("one", "10", "Succeeded")),), hold_s=30)
    async with following(tmp_path, listed("5"), first, second) as (board, seen):
        await phase(board, "one", "Succeeded")
    assert "resourceVersion=9" in seen[2]
    assert len([one for one in seen if "watch=true" not in one]) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(chunks=(event("ERROR", {"code": 410, "reason": "Expired"}),)),
        Reply(chunks=(b"{broken\n",)),
        failing(410, "too old resource version", "Expired"),
        Reply(chunks=(b'{"type": "ADD',), cut=True),
        failing(500, "etcd is gone"),
        Reply(body=b"<html>"),
    ],
    ids=["expired", "garbage", "gone", "cut", "error", "page"],
)
async def test_a_watch_that_breaks_is_taken_up_again(tmp_path, trouble: Reply):
    after = Reply(chunks=(event("MODIFIED", pod("one", "8", "Running")),), hold_s=30)
    replies = (listed("5", pod("one", "4")), trouble, listed("7", pod("one", "7")), after, after)
    async with following(tmp_path, *replies) as (board, _):
        await phase(board, "one", "Running")
        assert board.restarts >= 1


async def test_a_pod_that_went_while_nobody_watched_is_known_to_be_gone(tmp_path):
    broken = Reply(chunks=(event("ERROR", {"code": 410}),))
    async with following(
        tmp_path, listed("5", pod("one", "4"), pod("two", "4")), broken, listed("9", pod("two", "4"))
    ) as (board, _):
        async with asyncio.timeout(10):
            while not board.deleted("one"):
                await board.changed("one", board.pod("one"), 5)
        assert not board.deleted("two")


async def test_a_lost_server_is_known_to_be_lost_and_found_again(tmp_path):
    replies = (failing(503, "down"), failing(503, "down"), listed("5", pod("one", "4", "Running")))
    async with following(tmp_path, *replies) as (board, _):
        await phase(board, "one", "Running")
        assert "down" in board.why_lost
        assert board.lost_since is None


async def test_who_waits_for_one_pod_is_not_woken_for_another():
    board, woken = Board(), []

    async def wait(job: str) -> None:
        await board.changed(job, board.pod(job), 5)
        woken.append(job)

    waiting = [asyncio.create_task(wait(job)) for job in ("one", "two")]
    await asyncio.sleep(0)
    board.put("ADDED", pod("two", "3"))
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert woken == ["two"]
    board.put("DELETED", pod("one", "4"))
    await asyncio.gather(*waiting)
    assert woken == ["two", "one"]


async def test_of_a_pod_only_what_is_read_is_kept():
    board = Board()
    whole = pod("one", "3", "Running")
    whole["metadata"] |= {"uid": "u", "managedFields": ["x" * 1000], "deletionTimestamp": "now"}
    whole["spec"] = {"nodeName": "n1", "containers": [{"image": "x" * 1000}]}
    board.put("ADDED", whole)
    assert board.pod("one") == {
        "metadata": {"name": "one-abcde", "uid": "u", "deletionTimestamp": "now"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running"},
    }


@pytest.mark.parametrize("odd", [{}, {"metadata": None}, {"metadata": "x", "spec": 5}, {"metadata": {"labels": []}}])
async def test_an_object_that_is_no_pod_breaks_nothing(odd: dict):
    board = Board()
    board.put("ADDED", odd)
    board.replace([odd])
    assert board.pod("one") is None


async def test_a_job_that_nobody_asks_for_any_more_is_forgotten():
    board = Board()
    board.put("ADDED", pod("one", "3"))
    board.forget("one")
    board.forget("two")
    assert board.pod("one") is None
    assert not board.deleted("one")
