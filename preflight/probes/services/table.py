"""Table storage: the list of tables as anybody, then with a SAS or a bearer token when one is given.

Facts: those of `preflight.probes.services.blob`.
"""

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Request
from preflight.probes.services.asking import note
from preflight.probes.services.blob import authorized, error_facts
from preflight.probes.trail import Trail

_TABLES = "/Tables?$top=1"
_ODATA = (("accept", "application/json;odata=nometadata"), ("dataserviceversion", "3.0;NetFx"))


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin` without credentials, `read` with them."""
    anonymous, auth = authorized(task, {}, _TABLES)
    reply = await dialer.fetch(trail, "origin", _odata(anonymous))
    if reply.status is None:
        return
    note(trail, reply, {"auth": auth, **error_facts(reply)}, secrets)
    signed, auth = authorized(task, secrets, _TABLES)
    if auth != "none":
        reply = await dialer.fetch(trail, "read", _odata(signed))
        note(trail, reply, {"auth": auth, **error_facts(reply)}, secrets)


def _odata(request: Request) -> Request:
    return msgspec.structs.replace(request, headers=(*request.headers, *_ODATA))
