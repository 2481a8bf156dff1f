"""The token service of a container registry: /oauth2/token and /oauth2/exchange, with tokens that the real registry
verifies itself (ES256, certificate in `x5c`).

Protocol: distribution/distribution docs/spec/auth/token.md, jwt.md; Azure/acr docs/AAD-OAuth.md.
"""

import base64
import json
import sys
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "Azure Container Registry"
_LIVES = 300  # seconds


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """Signs access tokens for one registry with a leaf of the lab's authority; `chain` and `key` are PEM."""

    def __init__(self, service: str, chain: str, key: str) -> None:
        certificates = x509.load_pem_x509_certificates(chain.encode())
        loaded = serialization.load_pem_private_key(key.encode(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._service, self._key = service, loaded
        self._x5c = [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in certificates]

    def token(self, access: Sequence[dict[str, Any]], subject: str = "pull") -> str:
        """A token that grants exactly this."""
        now = int(time.time())
        header = {"alg": "ES256", "typ": "JWT", "x5c": self._x5c}
        claims = {
            "iss": ISSUER, "sub": subject, "aud": self._service, "iat": now, "nbf": now - 60, "exp": now + _LIVES,
            "jti": str(time.time_ns()), "access": list(access),
        }  # fmt: skip
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32) + s.to_bytes(32))}"


def scopes(text: str) -> list[dict[str, Any]]:
    """`repository:models/sentiment:pull,push` -> the access claim."""
    found = []
    for scope in text.split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        found.append({"type": kind, "name": name, "actions": actions.split(",")})
    return found


class TokenServer(ThreadingHTTPServer):
    """Plain HTTP behind the registry's front; knows one login, without which nobody gets a token."""

    daemon_threads = True

    def __init__(self, place: tuple[str, int], signer: Signer, login: tuple[str, str]) -> None:
        self.signer, self.login = signer, login
        super().__init__(place, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone concerns nobody."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """As its base, without asking the DNS for its own name."""
        self.socket.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path != "/oauth2/token" or self._basic() != self.server.login:
            return self._refuse()
        return self._grant(query.get("scope", ""))

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        form = {key: values[0] for key, values in parse_qs(self.rfile.read(min(length, 65536)).decode()).items()}
        if self.path != "/oauth2/token" or (form.get("username"), form.get("password")) != self.server.login:
            return self._refuse()
        return self._grant(form.get("scope", ""))

    def _basic(self) -> tuple[str, str]:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return "", ""
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password

    def _grant(self, scope: str) -> None:
        token = self.server.signer.token(scopes(scope))
        self._send(200, {"access_token": token, "token": token, "expires_in": _LIVES})

    def _refuse(self) -> None:
        # Text: Azure/acr#458.
        text = "authentication required, visit https://aka.ms/acr/authorization for more information."
        self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": text, "detail": None}]})

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing: pytest's output is the test's."""
