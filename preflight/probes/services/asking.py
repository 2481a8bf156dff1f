"""Builds requests for a task's own host, and notes what an answer held. The only place that joins target and path."""

from collections.abc import Mapping

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.redact import Redactor
from preflight.probes.request import Reply, Request
from preflight.probes.trail import Trail

_REDIRECTS = 5  # each is a hop of its own; more of them for one of Azure's services is a loop


def request(task: Task, path: str | None = None) -> Request:
    """GET `path` (the target's own without one) at the task's target, as the task wants it; redirects are followed."""
    target = task.target if path is None else msgspec.structs.replace(task.target, path=path)
    return Request(url=target.url, alpn=task.alpn, trust=task.trust, server_name=target.server_name, follow=_REDIRECTS)


def note(trail: Trail, reply: Reply, facts: Mapping[str, str], secrets: Secrets) -> None:
    """Writes non-empty facts to the hop that was answered, the last redirect when there were any.

    An answer may echo what it was sent, so secrets are taken out of what is quoted from it.
    """
    redactor = Redactor(secrets)
    kept = {name: redactor.text(value) for name, value in facts.items() if value}
    if kept:
        trail.annotate(reply.hop.role, kept)
