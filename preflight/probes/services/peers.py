"""Another pod of this run, on the ports of the router and of models: connects, sends a nonce, reads who answers.

Address and place of that pod come as the task's parameters when it runs (`address`, `node`), or why it does not
(`trouble`, `trouble_cause`). With `seen_by` ("10.240.0.4:29123") a pod in the network of another node is asked besides
which source address it sees: that tells how pods leave their node, and no check hangs on it.

Facts: `peer` and `peer_node` (who should answer, and where), `node` (where this is), `own` (the address sent from),
`answer` (match, other, closed, silent), `seen_as` (the source that the other side saw), `trouble`, `trouble_cause`.
"""

import asyncio
import os
import secrets
from collections.abc import Mapping

import msgspec

from preflight.model.plan import Target, Task
from preflight.model.secret import Secrets
from preflight.model.vocabulary import NODE_VARIABLE
from preflight.probes import names
from preflight.probes.dialer import Dialer
from preflight.probes.trail import Trail

GREETING = b"preflight-peer 1 "
MAX_LINE = 512  # bytes, either way
_MOST_PORTS = 32


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The line that comes back."""

    nonce: str
    source: str  # "10.251.2.9:41234", as the other side sees it
    node: str = ""


async def probe(task: Task, dialer: Dialer, trail: Trail, _secrets: Secrets) -> None:
    """`origin` on the target's port and `port.N` on each other one, then `seen`."""
    known = {name: task.params[name] for name in ("trouble", "trouble_cause") if task.params.get(name)}
    address = names.literal(task.params.get("address", ""))
    facts = {"peer": task.target.host, "peer_node": task.params.get("node", ""), "node": _node()}
    if address is None:
        with trail.hop("origin", task.target.url) as draft:
            draft.service = {**_given(facts), **known}
        return
    roles = {"origin": task.target.port} | {f"port.{port}": port for port in ports(task) if port != task.target.port}
    async with asyncio.TaskGroup() as group:
        for role, port in roles.items():
            target = Target(scheme="tcp", host=address, port=port, path="")
            group.create_task(_ask(dialer, trail, role, target, facts))
    await _ask_how_it_looks(task, dialer, trail)


def ports(task: Task) -> tuple[int, ...]:
    """The target's own, and those of the parameter `ports`."""
    told = (part.strip() for part in task.params.get("ports", "").split(","))
    others = (int(part) for part in told if part.isascii() and part.isdecimal() and 0 < int(part) < 65_536)
    return tuple(dict.fromkeys((task.target.port, *others)))[:_MOST_PORTS]


async def _ask_how_it_looks(task: Task, dialer: Dialer, trail: Trail) -> None:
    """A connection to one's own node is no proof: the kernel does not translate what does not leave."""
    if not task.params.get("seen_by") or task.params.get("seen_by_node", "") == _node():
        return
    host, port = names.split(task.params["seen_by"], 0)
    if names.literal(host) is None or not port:
        return
    target = Target(scheme="tcp", host=host, port=port, path="")
    await _ask(dialer, trail, "seen", target, {"peer_node": task.params.get("seen_by_node", ""), "node": _node()})


async def _ask(dialer: Dialer, trail: Trail, role: str, target: Target, facts: Mapping[str, str]) -> None:
    nonce = secrets.token_hex(16)
    said = await dialer.exchange(trail, role, target, GREETING + nonce.encode() + b"\n", MAX_LINE)
    heard: dict[str, str] = {}
    if said is not None:
        answer = understood(said.line)
        match = answer is not None and answer.nonce == nonce
        heard["answer"] = "match" if match else "other" if said.line else said.result
        heard["own"] = said.source
        if answer is not None and match:
            heard["seen_as"] = names.literal(answer.source.rpartition(":")[0]) or ""
    trail.annotate(role, _given({**facts, **heard}))


def understood(line: bytes) -> Answer | None:
    """What a pod of ours answers; None for anything else."""
    try:
        return msgspec.json.decode(line, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _given(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}


def _node() -> str:
    return os.environ.get(NODE_VARIABLE, "")
