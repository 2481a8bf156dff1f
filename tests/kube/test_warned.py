"""Events are read once for all who ask, and again when they are old; who may not read them knows nothing."""

import asyncio

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.kube import warned
from preflight.kube.client import Access, connect
from preflight.kube.warned import Warned

EVENTS = "/api/v1/namespaces/x/events"


def event(uid: str, text: str) -> dict:
    return {"involvedObject": {"uid": uid}, "type": "Warning", "reason": "FailedCreate", "message": text}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


async def asked(tmp_path, reply: Reply, *uids: str, pause_s: float = 0.0) -> tuple[list[list[dict]], list[str]]:
    async with (
        served(lambda *_: reply) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        told = Warned(client, EVENTS, warned.JOBS)
        found = await asyncio.gather(*(told.about(uid) for uid in uids))
        if pause_s:
            await asyncio.sleep(pause_s)
            found += await asyncio.gather(*(told.about(uid) for uid in uids))
    return list(found), seen


async def test_a_thousand_who_ask_at_once_cost_one_request(tmp_path):
    reply = Reply(body={"items": [event("u7", "no quota"), event("u7", "still none"), event("u9", "refused")]})
    found, seen = await asked(tmp_path, reply, *(f"u{number}" for number in range(1000)))
    assert len(seen) == 1
    assert "fieldSelector=involvedObject.kind%3DJob,reason%3DFailedCreate" in seen[0]
    assert [one["message"] for one in found[7]] == ["no quota", "still none"]
    assert [one["message"] for one in found[9]] == ["refused"]
    assert found[8] == []


async def test_what_is_old_is_read_again(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warned, "_FRESH_S", 0.05)
    found, seen = await asked(tmp_path, Reply(body={"items": [event("a", "x")]}), "a", pause_s=0.1)
    assert len(seen) == 2
    assert len(found) == 2


@pytest.mark.parametrize(
    "reply",
    [
        failing(403, "events is forbidden", "Forbidden"),
        Reply(body={"items": None}),
        Reply(body={"items": [{"message": "of nobody"}, {"involvedObject": None}]}),
    ],
    ids=["forbidden", "none", "of nobody"],
)
async def test_where_nothing_can_be_known_nothing_is_known(tmp_path, reply: Reply):
    found, _ = await asked(tmp_path, reply, "a")
    assert found == [[]]
