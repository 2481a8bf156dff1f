"""Azurite as blob and table storage of the deployment's account, and of one that holds the registries' layers.

Real shared access signatures, made here. What it cannot say (network rules, disabled keys, throttling) is the lab's.
"""

import base64
import hashlib
import hmac
import os
import shutil
import ssl
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import quote, urlencode

from bed.namespaces import BedError, Namespace
from bed.parts.program import Program
from preflight.lab import deployment as at
from preflight.lab.pki import Pki

BLOB_PORT, TABLE_PORT, _QUEUE_PORT = 10443, 11443, 12443
LAYERS_ACCOUNT, LAYERS_CONTAINER = "acrlayers", "docker"
LAYERS_HOST = f"{LAYERS_ACCOUNT}.blob.core.windows.net"
CONTENT = b"ONNX" + bytes(range(256)) * 96
_VERSION = "2021-12-02"  # of the signatures' form
_KEYS = {name: base64.b64encode(hashlib.sha512(name.encode()).digest()) for name in (at.ACCOUNT, LAYERS_ACCOUNT)}


def account_sas(
    account: str = at.ACCOUNT,
    *,
    permissions: str = "rl",
    lives: timedelta = timedelta(days=1),
    key: bytes | None = None,
) -> str:
    """create-account-sas.md: everything of blob and table of the account. `key` (Base64) signs in place of its own."""
    start, end = _times(lives)
    fields = {"sp": permissions, "ss": "bt", "srt": "sco", "st": start, "se": end, "spr": "https", "sv": _VERSION}
    signed = f"{account}\n{permissions}\nbt\nsco\n{start}\n{end}\n\nhttps\n{_VERSION}\n\n"
    return urlencode({**fields, "sig": _sign(key or _KEYS[account], signed)})


def container_sas(account: str, container: str) -> str:
    """create-service-sas.md: reading the blobs of one container, as a registry's redirects carry it."""
    start, end = _times(timedelta(days=1))
    resource = f"/blob/{account}/{container}"
    signed = f"r\n{start}\n{end}\n{resource}\n\n\nhttps\n{_VERSION}\nc\n\n\n\n\n\n\n"
    fields = {"sp": "r", "st": start, "se": end, "spr": "https", "sv": _VERSION, "sr": "c"}
    return urlencode({**fields, "sig": _sign(_KEYS[account], signed)})


def _times(lives: timedelta) -> tuple[str, str]:
    """From two days ago to now + `lives`, which may be negative."""
    now = datetime.now(UTC)
    form = "%Y-%m-%dT%H:%M:%SZ"
    return (now - timedelta(days=2)).strftime(form), (now + lives).strftime(form)


def _sign(key: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()


class Azurite:
    """`program`: azurite's main script; it listens on every address of the namespace, which diverts port 443 to it."""

    def __init__(self, namespace: Namespace, folder: Path, program: Path, pki: Pki) -> None:
        self._namespace, self._folder, self._script, self._pki = namespace, folder / "azurite", program, pki
        self._program = Program(namespace, "azurite", BLOB_PORT, TABLE_PORT)

    def start(self) -> None:
        """Write the certificate and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        certificate, key = self._folder / "certificate.pem", self._folder / "key.pem"
        chain, private = self._pki.server(at.BLOB.name, at.TABLE.name, LAYERS_HOST)
        certificate.write_text(chain)
        key.write_text(private)
        node = shutil.which("node")
        if node is None or not self._script.exists():
            raise BedError(f"no node, or no {self._script} (tests/bed/install.py installs it)")
        accounts = ";".join(f"{name}:{value.decode()}" for name, value in _KEYS.items())
        self._program.start(
            node, str(self._script),
            "--blobHost", "0.0.0.0", "--blobPort", str(BLOB_PORT),
            "--tableHost", "0.0.0.0", "--tablePort", str(TABLE_PORT),
            "--queueHost", "127.0.0.1", "--queuePort", str(_QUEUE_PORT),
            "--cert", str(certificate), "--key", str(key), "--oauth", "basic",
            "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent",
            env={**os.environ, "AZURITE_ACCOUNTS": accounts}, cwd=self._folder,
        )  # fmt: skip

    def wait(self) -> None:
        """Return when it listens and holds the model and the router's table."""
        self._program.wait()
        self.put_blob(at.ACCOUNT, at.CONTAINER, at.BLOB_NAME, CONTENT)
        self.put_container(LAYERS_ACCOUNT, LAYERS_CONTAINER)
        headers = {"content-type": "application/json", "accept": "application/json;odata=nometadata"}
        self._ask(at.ACCOUNT, "POST", at.TABLE.name, "/Tables", b'{"TableName":"azuremlfeconfig"}', headers)

    def put_container(self, account: str, container: str) -> None:
        """Make it if it is not there."""
        self._ask(account, "PUT", f"{account}.blob.core.windows.net", f"/{container}?restype=container", b"", {})

    def put_blob(self, account: str, container: str, name: str, content: bytes) -> None:
        """Store, or replace, one blob; makes the container."""
        self.put_container(account, container)
        path = f"/{container}/{quote(name)}"
        host = f"{account}.blob.core.windows.net"
        self._ask(account, "PUT", host, path, content, {"x-ms-blob-type": "BlockBlob"})

    def delete_blob(self, account: str, container: str, name: str) -> None:
        """Remove one blob."""
        self._ask(account, "DELETE", f"{account}.blob.core.windows.net", f"/{container}/{quote(name)}", b"", {})

    def reset(self) -> None:
        """It holds what it held: scenarios change requests, not the store."""

    def stop(self) -> None:
        """End it."""
        self._program.stop()

    @property
    def diversions(self) -> Iterable[tuple[tuple[str, ...], int]]:
        """Addresses and the port on which it answers for them."""
        return (at.BLOB.addresses, BLOB_PORT), (at.TABLE.addresses, TABLE_PORT)

    def _ask(self, account: str, method: str, host: str, path: str, content: bytes, headers: Mapping[str, str]) -> None:
        """One request from inside the namespace, with an account SAS that may write."""
        sas = account_sas(account, permissions="rwdlacup")
        port = TABLE_PORT if ".table." in host else BLOB_PORT
        separator = "&" if "?" in path else "?"

        def ask() -> tuple[int, bytes]:
            fields = {"host": host, "x-ms-version": _VERSION, "content-length": str(len(content)), **headers}
            context = _unnamed(self._pki)
            with closing(HTTPSConnection("127.0.0.1", port, context=context, timeout=10)) as connection:
                connection.request(method, f"{path}{separator}{sas}", content, fields)
                with connection.getresponse() as answer:
                    return answer.status, answer.read(2000)

        status, body = self._namespace.call(ask)
        if status >= 400 and status != 409:  # 409: there already
            raise BedError(f"azurite: {method} {host}{path} -> {status} {body!r}")


def _unnamed(pki: Pki) -> ssl.SSLContext:
    """Trusts the lab's authority; the name is not compared, for this connects to an address of the namespace."""
    context = ssl.create_default_context(cadata=pki.public.pem)
    context.check_hostname = False
    return context
