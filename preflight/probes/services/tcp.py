"""Name and TCP connection only. Writes no service facts."""

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.trail import Trail


async def probe(task: Task, dialer: Dialer, trail: Trail, _secrets: Secrets) -> None:
    """`origin`: look the name up and connect."""
    await dialer.connect(trail, "origin", task.target)
