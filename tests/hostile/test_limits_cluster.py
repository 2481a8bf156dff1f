"""What an API server and a termination message may hold: one below its limit, at it, and one above."""

import base64
import zlib

import msgspec
import pytest
from builders.runs import task, vantage_facts
from servers.scripted import Reply, kubeconfig, served

from preflight.failures import ClusterFailure
from preflight.kube import client as clients
from preflight.kube.client import Access, connect
from preflight.model.plan import VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.vantages import summary

pytestmark = pytest.mark.usefixtures("no_proxy")

AROUND = pytest.mark.parametrize("more", [-1, 0, 1])
LOG = "/api/v1/namespaces/x/pods/p/log"


@AROUND
async def test_an_answer_of_the_api_server(more, tmp_path):
    body = b'{"a":"' + b"x" * (clients.MAX_ANSWER - 8 + more) + b'"}'
    async with (
        served(lambda _method, _target: Reply(body=body)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        if more <= 0:
            assert len((await client.get("/api/v1/nodes"))["a"]) == clients.MAX_ANSWER - 8 + more
            return
        with pytest.raises(ClusterFailure) as caught:
            await client.get("/api/v1/nodes")
    assert (caught.value.cause, str(clients.MAX_ANSWER) in caught.value.text) == ("kube.unexpected-answer", True)


@AROUND
async def test_a_line_of_a_watch_or_log(more, tmp_path):
    """Without its end: what has come to an end is judged by who reads lines."""
    line = b"x" * (clients.MAX_LINE + more)
    pieces = tuple(line[at : at + 500_000] for at in range(0, len(line), 500_000))
    async with (
        served(lambda _method, _target: Reply(chunks=pieces)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        if more <= 0:
            assert [len(one) async for one in client.lines(LOG)] == [len(line)]
            return
        with pytest.raises(ClusterFailure) as caught:
            assert [one async for one in client.lines(LOG)] == []
    assert (caught.value.cause, str(clients.MAX_LINE) in caught.value.text) == ("kube.unexpected-answer", True)


@AROUND
def test_what_a_termination_message_unpacks_to(more):
    """A bomb of four megabytes is one kilobyte in a message."""
    plan = VantagePlan(run_id="r1", vantage="pod/user1", tasks=(task(ProbeName.HTTP, "features.contoso.example"),))
    packed = summary.pack(plan, vantage_facts("pod/user1"), ()).decode()
    inflate = zlib.decompressobj(-15, summary._dictionary(plan))
    raw = inflate.decompress(base64.b85decode(packed.removeprefix(summary.MARK)))
    bomb = raw + b" " * (summary.MAX_UNPACKED - len(raw) + more)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, summary._dictionary(plan))
    text = summary.MARK + base64.b85encode(deflate.compress(bomb) + deflate.flush()).decode()
    assert len(text) < 12_000
    found = summary.unpack(plan, text)
    assert (found is not None) == (more <= 0)
    if found is not None:
        assert found.facts == msgspec.structs.replace(found.facts, vantage="pod/user1")
