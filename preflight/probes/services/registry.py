"""An OCI distribution client that pulls just enough: challenge, token, manifest, and the beginning of one layer.

Facts: `challenge` (bearer, basic, none), `realm` (own, foreign, invalid) with `realm_host`, `repository` ("not-given"),
`document` ("empty-object"), `auth` (basic, bearer, anonymous), `token` (given, absent), `manifest` (index, image,
invalid), `platform`, `layers`, `digest` (verified, mismatch, partial) with `expected_digest`, `layer_bytes`,
`data_host`, and of refusals `error`, `error_message`, `denied_source`. No token is in any fact.
Param `token_host`: the host of a token service elsewhere.
"""

import re
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from msgspec import UNSET

from preflight.model.plan import Task
from preflight.model.secret import Secret, Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply, Request
from preflight.probes.services import manifests
from preflight.probes.services.answers import address_in, as_json, as_object, storage_error, text
from preflight.probes.services.asking import note, request
from preflight.probes.services.challenge import Challenge, of_scheme, parse
from preflight.probes.services.credentials import SecretHeaders, basic, bearer, given
from preflight.probes.services.manifests import Blob, Image, Index
from preflight.probes.trail import Trail

_WHOLE_BELOW = 1024 * 1024  # smaller layers are read whole and verified
_FIRST_BYTES = 65_536
_TOKEN_LIMIT = 65_536
_SOURCE = re.compile(r"IP[ :]+'?([0-9A-Fa-f.:]{2,45})'?")


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of one pull share."""

    task: Task
    dialer: Dialer
    trail: Trail
    secrets: Secrets
    headers: SecretHeaders = ()
    auth: str = "anonymous"
    actions: str = "pull"  # what the token is asked for


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`, `token`, `manifest` (and `manifest.child`), `layer`; params: `repository`, `reference`."""
    origin = await dialer.fetch(trail, "origin", request(task, "/v2/"))
    if origin.status is None:
        return
    challenges = parse(origin.headers.get_list("www-authenticate"))
    note(trail, origin, origin_facts(task, origin, challenges), secrets)
    login = basic(given(task, secrets, "registry_user"), given(task, secrets, "registry_password"))
    pull = await signed_in(Pull(task=task, dialer=dialer, trail=trail, secrets=secrets), origin, challenges, login)
    if pull is None or not task.params.get("repository"):
        return
    smallest = await _smallest_layer(pull)
    if smallest is not None:
        await _layer(pull, smallest)


def origin_facts(task: Task, reply: Reply, challenges: tuple[Challenge, ...]) -> dict[str, str]:
    """What GET /v2/ shows: the challenge and its realm."""
    asked = of_scheme(challenges, "bearer")
    scheme = "bearer" if asked else "basic" if of_scheme(challenges, "basic") else "none"
    facts = {"challenge": scheme, "repository": "" if task.params.get("repository") else "not-given"}
    if asked:
        facts |= _realm_facts(task, asked.parameters.get("realm", ""))
    if reply.status == 200 and as_json(reply.body) == {}:
        facts["document"] = "empty-object"
    return {**facts, **refusal(reply)}


def _realm_facts(task: Task, realm: str) -> dict[str, str]:
    """Credentials go to a token service over https on the registry's own host, or on the one the plan names, only."""
    try:
        parts = urlsplit(realm)
        host, port = (parts.hostname or "").lower(), parts.port or 443
    except ValueError:
        return {"realm": "invalid"}
    if (
        parts.scheme != "https"
        or not host
        or parts.username is not None
        or not (realm.isascii() and realm.isprintable())
    ):
        return {"realm": "invalid", "realm_host": text(host, 255)}
    own = (host, port) == (task.target.host.lower(), task.target.port) or host == task.params.get("token_host")
    return {"realm": "own" if own else "foreign", "realm_host": text(host, 255)}


async def signed_in(pull: Pull, origin: Reply, challenges: tuple[Challenge, ...], login: SecretHeaders) -> Pull | None:
    """The pull with its authorization; None when the registry lets nobody in that way."""
    if origin.status == 200:
        return pull
    asked = of_scheme(challenges, "bearer")
    if origin.status != 401 or (asked is None and (not login or of_scheme(challenges, "basic") is None)):
        return None
    if asked is None:
        return msgspec.structs.replace(pull, headers=login, auth="basic")
    return await _token(pull, asked, login)


async def _token(pull: Pull, asked: Challenge, login: SecretHeaders) -> Pull | None:
    """A token for the repository, by docs.docker.com/registry/spec/auth/token; anonymous without a login."""
    realm = asked.parameters.get("realm", "")
    if _realm_facts(pull.task, realm)["realm"] != "own" or not (login or pull.task.params.get("repository")):
        return None
    reply = await pull.dialer.fetch(pull.trail, "token", _token_request(pull.task, asked, login, pull.actions))
    if reply.status is None:
        return None
    document = as_object(reply.body) if reply.status == 200 else {}
    value = document.get("token") or document.get("access_token")
    headers = bearer(Secret(value)) if isinstance(value, str) else ()
    auth = "basic" if login else "anonymous"
    note(pull.trail, reply, {"auth": auth, "token": "given" if headers else "absent", **refusal(reply)}, pull.secrets)
    return msgspec.structs.replace(pull, headers=headers, auth="bearer" if login else "anonymous") if headers else None


def _token_request(task: Task, asked: Challenge, login: SecretHeaders, actions: str) -> Request:
    query = {"service": asked.parameters.get("service", "")[:255]}
    if repository := task.params.get("repository"):
        query["scope"] = f"repository:{repository}:{actions}"
    url = httpx.URL(asked.parameters["realm"]).copy_merge_params({key: text for key, text in query.items() if text})
    return msgspec.structs.replace(
        request(task), url=str(url), server_name=None, secret_headers=login, body_limit=_TOKEN_LIMIT
    )


async def _smallest_layer(pull: Pull) -> Blob | None:
    """The manifest, of an index one platform's, and of that the layer that costs least."""
    found = await _manifest(pull, "manifest", pull.task.params.get("reference") or "latest")
    if isinstance(found, Index):
        found = await _manifest(pull, "manifest.child", found.child.digest)
    return found.smallest if isinstance(found, Image) else None


async def _manifest(pull: Pull, role: str, reference: str) -> Index | Image | None:
    path = f"/v2/{repository_path(pull.task)}/manifests/{quote(reference, safe=':')}"
    asked = msgspec.structs.replace(
        request(pull.task, path),
        headers=tuple(("accept", kind) for kind in manifests.ACCEPT),
        secret_headers=pull.headers,
        body_limit=manifests.LIMIT,
    )
    reply = await pull.dialer.fetch(pull.trail, role, asked)
    if reply.status is None:
        return None
    found = manifests.read(reply.body) if reply.status == 200 else None
    note(
        pull.trail,
        reply,
        {"auth": pull.auth, **_manifest_facts(reply, reference, found), **refusal(reply)},
        pull.secrets,
    )
    return found


def _manifest_facts(reply: Reply, reference: str, found: Index | Image | None) -> dict[str, str]:
    if reply.status != 200:
        return {}
    named = reference if manifests.is_digest(reference) else reply.headers.get("docker-content-digest", "")
    facts = _digest_facts(named, reply.body) if manifests.is_digest(named) and _complete(reply) else {}
    match found:
        case Index():
            return {**facts, "manifest": "index", "platform": found.platform}
        case Image():
            return {**facts, "manifest": "image", "layers": str(found.layers)}
        case None:
            return {**facts, "manifest": "invalid"}


async def _layer(pull: Pull, blob: Blob) -> None:
    """The layer's first bytes through its redirect: the data host is what most firewalls forget."""
    whole = blob.size < _WHOLE_BELOW
    asked = msgspec.structs.replace(
        request(pull.task, f"/v2/{repository_path(pull.task)}/blobs/{blob.digest}"),
        headers=() if whole else (("range", f"bytes=0-{_FIRST_BYTES - 1}"),),
        secret_headers=pull.headers,
        body_limit=blob.size + 1 if whole else _FIRST_BYTES,  # one byte more tells that it is longer than it should be
    )
    reply = await pull.dialer.fetch(pull.trail, "layer", asked)
    if reply.status is None:
        return
    facts = {"auth": pull.auth, "data_host": text(urlsplit(reply.hop.url).hostname, 255), **refusal(reply)}
    if reply.status in (200, 206):
        facts["layer_bytes"] = str(len(reply.body))
        judged = whole and (_complete(reply) or len(reply.body) > blob.size)
        facts |= _digest_facts(blob.digest, reply.body) if judged else {"digest": "partial"}
    note(pull.trail, reply, facts, pull.secrets)


def _digest_facts(digest: str, content: bytes) -> dict[str, str]:
    if manifests.matches(digest, content):
        return {"digest": "verified"}
    return {"digest": "mismatch", "expected_digest": digest}


def _complete(reply: Reply) -> bool:
    return reply.hop.http is not UNSET and reply.hop.http.body_complete


def repository_path(task: Task) -> str:
    """The repository as it stands in a path."""
    return quote(task.params["repository"], safe="/")


def refusal(reply: Reply) -> dict[str, str]:
    """Code and message of the distribution specification's error list, or of the storage account behind it."""
    if reply.status is None or reply.status < 400:
        return {}
    errors = as_object(reply.body).get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
    if first is None:
        return storage_error(reply.headers, reply.body)
    message = text(first.get("message"))
    named = _SOURCE.search(message)
    return {
        "error": text(first.get("code"), 80),
        "error_message": message,
        "denied_source": address_in(named[1]) if named else "",
    }
