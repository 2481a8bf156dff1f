"""Debian's docker-registry as MCR (anonymous) and as ACR (bearer tokens), with layers in Azurite behind data hosts.

haproxy stands in front with the real names' certificates, as a cloud's front does: it routes, sends clients on to the
data host with a signed address, and, when a scenario says so, throttles, fails, or names another region's data host.
"""

import http.client
import json
import threading
from collections.abc import Iterable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any

from bed.namespaces import BedError, Namespace
from bed.parts.azurite import BLOB_PORT, LAYERS_ACCOUNT, LAYERS_CONTAINER, LAYERS_HOST, Azurite, container_sas
from bed.parts.program import Program
from bed.parts.sni_filter import tell
from bed.parts.tokens import ISSUER, Signer, TokenServer, scopes
from preflight.lab import deployment as at
from preflight.lab.pki import Pki
from preflight.lab.services.registry import image

FRONT_PORT, _MCR_PORT, _ACR_PORT, _TOKEN_PORT = 14443, 5001, 5002, 5003
MCR_REPOSITORY, MCR_REFERENCE = "mcr/hello-world", "latest"
_ACR_DATA = (at.ACR_DATA, at.ACR_REPLICA, at.ACR_FOREIGN)
HOSTS = (at.MCR, at.MCR_DATA, at.ACR, *_ACR_DATA)
_DATA = {at.MCR.name: at.MCR_DATA.name, at.ACR.name: at.ACR_DATA.name}


class Trouble(StrEnum):
    """What the front answers for a host in place of the service."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


# Code and text: distribution-spec "Error Codes"; 429 with Retry-After: container-registry-skus.md "Throttling".
_TROUBLES = {
    Trouble.THROTTLED: (429, "TOOMANYREQUESTS", "too many requests", " hdr Retry-After 10"),
    Trouble.UNAVAILABLE: (503, "UNAVAILABLE", "service is temporarily unavailable", ""),
}


class Registries:
    """Both registries, their front and ACR's token service; needs a running Azurite for the layers."""

    def __init__(self, namespace: Namespace, folder: Path, pki: Pki, azurite: Azurite) -> None:
        self._namespace, self._folder, self._pki, self._azurite = namespace, folder / "registry", pki, azurite
        self._mcr = Program(namespace, "docker-registry-mcr", _MCR_PORT)
        self._acr = Program(namespace, "docker-registry-acr", _ACR_PORT)
        self._front = Program(namespace, "registry-front", FRONT_PORT)
        self._signer = Signer(at.ACR.name, *pki.server("token.acrprod.internal"))
        self._tokens: TokenServer | None = None

    def start(self) -> None:
        """Write the configurations and start all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "ca.pem").write_text(self._pki.public.pem)
        self._serve_tokens()
        self._mcr.start("docker-registry", "serve", self._configure("mcr", _MCR_PORT, {}))
        auth = {
            "realm": f"https://{at.ACR.name}/oauth2/token", "service": at.ACR.name, "issuer": ISSUER,
            "rootcertbundle": str(self._folder / "ca.pem"),
        }  # fmt: skip
        self._acr.start("docker-registry", "serve", self._configure("acr", _ACR_PORT, {"auth": {"token": auth}}))
        self._front.start("haproxy", "-db", "-f", str(self._write_front()))

    def wait(self) -> None:
        """Return when all listen and both hold the image."""
        for program in (self._mcr, self._acr, self._front):
            program.wait()
        self._push(_MCR_PORT, MCR_REPOSITORY, MCR_REFERENCE, "")
        token = self._signer.token(scopes(f"repository:{at.REPOSITORY}:pull,push"))
        self._push(_ACR_PORT, at.REPOSITORY, at.REFERENCE, token)
        self.restore_layers()

    def trouble(self, trouble: Trouble, host: str) -> None:
        """From now on, for every request to that host."""
        self._tell(f"add acl {self._list(trouble)} {host}")

    def send_to(self, data_host: str, login: str = at.ACR.name) -> None:
        """Where the registry sends clients for layers."""
        self._tell(f"set map {self._map} {login} {data_host}")

    def lose_layers(self) -> None:
        """The layer store has lost every layer, which the registry does not know."""
        for digest in image().blobs:
            self._azurite.delete_blob(LAYERS_ACCOUNT, LAYERS_CONTAINER, _stored(digest))

    def restore_layers(self) -> None:
        """All layers are there."""
        for digest, content in image().blobs.items():
            self._azurite.put_blob(LAYERS_ACCOUNT, LAYERS_CONTAINER, _stored(digest), content)

    def reset(self) -> None:
        """Healthy again; who lost layers restores them."""
        for trouble in Trouble:
            self._tell(f"clear acl {self._list(trouble)}")
        for login, data_host in _DATA.items():
            self.send_to(data_host, login)

    def stop(self) -> None:
        """End all."""
        for program in (self._front, self._mcr, self._acr):
            program.stop()
        if self._tokens is not None:
            self._tokens.shutdown()
            self._tokens.server_close()

    @property
    def diversions(self) -> Iterable[tuple[tuple[str, ...], int]]:
        """Addresses and the port on which it answers for them."""
        return ((tuple(address for host in HOSTS for address in host.addresses), FRONT_PORT),)

    def _serve_tokens(self) -> None:
        login = at.SECRETS["registry_user"], at.SECRETS["registry_password"]
        self._tokens = self._namespace.call(TokenServer, ("127.0.0.1", _TOKEN_PORT), self._signer, login)
        threading.Thread(target=self._tokens.serve_forever, name="registry tokens", daemon=True).start()

    def _configure(self, name: str, port: int, more: dict[str, Any]) -> str:
        """A configuration file; JSON is YAML."""
        path = self._folder / f"{name}.yml"
        store = {"filesystem": {"rootdirectory": str(self._folder / name)}}
        # The front turns this into the data host's address.
        redirect = {"name": "redirect", "options": {"baseurl": "https://layers.internal/"}}
        content = {
            "version": 0.1, "log": {"level": "warn"}, "storage": store, "middleware": {"storage": [redirect]},
            "http": {"addr": f"127.0.0.1:{port}", "secret": "lab"}, **more,
        }  # fmt: skip
        path.write_text(json.dumps(content))
        return str(path)

    def _write_front(self) -> Path:
        certificates = self._folder / "certificates"
        certificates.mkdir(exist_ok=True)
        for host in HOSTS:
            chain, key = self._pki.server(host.name)
            (certificates / f"{host.name}.pem").write_text(chain + key)
        for trouble in Trouble:
            self._list(trouble).write_text("")
        self._map.write_text("".join(f"{login} {data}\n" for login, data in _DATA.items()))
        path = self._folder / "haproxy.cfg"
        path.write_text(self._front_text(certificates))
        return path

    def _front_text(self, certificates: Path) -> str:
        troubles = "\n".join(f"  {self._refusal(trouble)}" for trouble in Trouble)
        signature = container_sas(LAYERS_ACCOUNT, LAYERS_CONTAINER).replace("%", "%%")
        return f"""\
global
  log stderr format raw local0
  stats socket {self._folder}/control level admin
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 0.0.0.0:{FRONT_PORT} ssl crt {certificates} alpn h2,http/1.1
  http-request set-var(txn.host) req.hdr(host),field(1,:),lower
  http-request set-var(txn.data) var(txn.host),map({self._map})
{troubles}
  http-request set-header X-Forwarded-Proto https
  use_backend tokens if {{ var(txn.host) -m str {at.ACR.name} }} {{ path_beg /oauth2/ }}
  use_backend acr if {{ var(txn.host) -m str {at.ACR.name} }}
  use_backend mcr if {{ var(txn.host) -m str {at.MCR.name} }}
  use_backend layers if {{ var(txn.host) -m end .data.azurecr.io .data.mcr.microsoft.com }}
backend tokens
  server tokens 127.0.0.1:{_TOKEN_PORT}
backend acr
  http-response replace-header Location https://layers.internal/(.*) https://%[var(txn.data)]/\\1?{signature}
  server acr 127.0.0.1:{_ACR_PORT}
backend mcr
  http-response replace-header Location https://layers.internal/(.*) https://%[var(txn.data)]/\\1?{signature}
  server mcr 127.0.0.1:{_MCR_PORT}
backend layers
  http-request set-header Host {LAYERS_HOST}
  server azurite 127.0.0.1:{BLOB_PORT} ssl verify required ca-file {self._folder}/ca.pem verifyhost {LAYERS_HOST} sni str({LAYERS_HOST})
"""  # noqa: E501 - one server a line

    def _refusal(self, trouble: Trouble) -> str:
        status, code, message, headers = _TROUBLES[trouble]
        body = json.dumps({"errors": [{"code": code, "message": message}]})
        kind = "application/json; charset=utf-8"
        return (
            f"http-request return status {status} content-type \"{kind}\" string '{body}'{headers}"
            f" if {{ var(txn.host) -m str -f {self._list(trouble)} }}"
        )

    def _list(self, trouble: Trouble) -> Path:
        return self._folder / f"{trouble}.lst"

    @property
    def _map(self) -> Path:
        return self._folder / "data-hosts.map"

    def _tell(self, line: str) -> None:
        tell(self._folder / "control", line)

    def _push(self, port: int, repository: str, reference: str, token: str) -> None:
        """The lab's image, over the distribution protocol: blobs, manifests of the platforms, the index as a tag."""
        headers = {"authorization": f"Bearer {token}"} if token else {}

        def push() -> None:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                for digest, content in image().blobs.items():
                    _upload(connection, repository, digest, content, headers)
                for digest, (kind, content) in image().manifests.items():
                    name = reference if digest == image().index else digest
                    path = f"/v2/{repository}/manifests/{name}"
                    _ask(connection, "PUT", path, content, {**headers, "content-type": kind})

        self._namespace.call(push)


def _stored(digest: str) -> str:
    """Where docker-registry keeps a blob, below the container that plays its root."""
    digits = digest.removeprefix("sha256:")
    return f"registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"


def _upload(
    connection: http.client.HTTPConnection, repository: str, digest: str, content: bytes, headers: dict[str, str]
) -> None:
    place = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", b"", headers)
    path = place[place.index("/v2/") :]
    kind = {"content-type": "application/octet-stream"}
    _ask(connection, "PUT", f"{path}&digest={digest}", content, {**headers, **kind})


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, content: bytes, headers: dict[str, str]
) -> str:
    """One request; gives the Location."""
    connection.request(method, path, content, headers)
    with connection.getresponse() as answer:
        body = answer.read(2000)
    if answer.status >= 300:
        raise BedError(f"docker-registry: {method} {path} -> {answer.status} {body!r}")
    return answer.headers.get("location", "")
