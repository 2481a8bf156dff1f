"""Entra ID: the tenant's OpenID configuration, and a token for the workload's application when its secret is given.

Facts: `document` (openid-configuration, token, error, other), `error` (AADSTS code), `error_name`, `error_message`,
`issuer`. The token and the secret are in no fact.
"""

import re
from urllib.parse import quote, urlencode

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply
from preflight.probes.services.answers import as_object, text
from preflight.probes.services.asking import note, request
from preflight.probes.services.credentials import given
from preflight.probes.trail import Trail

_CODE = re.compile(r"AADSTS[0-9]{3,9}")
_SCOPE = "https://management.azure.com/.default"  # the default, for AzureCloud


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`, then `token`; params: `tenant`, `client_id`, `scope`."""
    tenant = quote(task.params.get("tenant") or _tenant_of(task.target.path), safe="")
    origin = await dialer.fetch(trail, "origin", request(task, f"/{tenant}/v2.0/.well-known/openid-configuration"))
    if origin.status is None:
        return
    note(trail, origin, _facts(origin), secrets)
    secret = given(task, secrets, "entra_client_secret")
    if secret is None or not task.params.get("client_id"):
        return
    form = {
        "grant_type": "client_credentials",
        "client_id": task.params["client_id"],
        "client_secret": secret.reveal().strip(),
        "scope": task.params.get("scope") or _SCOPE,
    }
    asked = msgspec.structs.replace(
        request(task, f"/{tenant}/oauth2/v2.0/token"),
        method="POST",
        headers=(("content-type", "application/x-www-form-urlencoded"),),
        body=urlencode(form).encode("ascii"),
        follow=0,  # a secret goes to Entra itself and nowhere else
    )
    token = await dialer.fetch(trail, "token", asked)
    note(trail, token, _facts(token), secrets)


def _tenant_of(path: str) -> str:
    """The tenant that a configuration's path begins with; `common` has one too."""
    return path.strip("/").partition("/")[0] or "common"


def _facts(reply: Reply) -> dict[str, str]:
    document = as_object(reply.body)
    if isinstance(document.get("error"), str):
        description = text(document.get("error_description"), 1000)
        code = _CODE.search(description)
        return {
            "document": "error",
            "error": code[0] if code else "",
            "error_name": text(document["error"], 80),
            "error_message": text(description.partition(" Trace ID:")[0]),
        }
    if isinstance(document.get("access_token"), str) and document["access_token"]:
        return {"document": "token"}
    if isinstance(document.get("token_endpoint"), str) and isinstance(document.get("issuer"), str):
        return {"document": "openid-configuration", "issuer": text(document["issuer"], 200)}
    return {"document": "other"}
