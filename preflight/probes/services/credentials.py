"""Turns secrets into requests: only those that the task names, only if they can stand in a header or a URL."""

import base64
import re

from preflight.model.plan import Task
from preflight.model.secret import Secret, Secrets

SecretHeaders = tuple[tuple[str, Secret], ...]

_VISIBLE = re.compile(r"[\x21-\x7e]{1,65536}")
_QUERY = re.compile(r"[A-Za-z0-9%&=+/._~:,;!*'()$@-]{1,8192}")


def given(task: Task, secrets: Secrets, name: str) -> Secret | None:
    """The secret when the task may use it and it is not empty."""
    secret = secrets.get(name) if name in task.secrets else None
    return secret if secret is not None and secret.reveal().strip() else None


def bearer(secret: Secret | None) -> SecretHeaders:
    """An Authorization header; none for a value that no header can hold."""
    value = secret.reveal().strip() if secret is not None else ""
    return (("authorization", Secret(f"Bearer {value}")),) if _VISIBLE.fullmatch(value) else ()


def basic(user: Secret | None, password: Secret | None) -> SecretHeaders:
    """Basic authentication (RFC 7617, UTF-8) when both halves are given."""
    if user is None or password is None:
        return ()
    pair = f"{user.reveal().strip()}:{password.reveal().strip()}".encode()
    return (("authorization", Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")),)


def signature(secret: Secret | None) -> str:
    """A SAS as a query without its question mark; "" for a value that no query can hold."""
    value = secret.reveal().strip().removeprefix("?").removeprefix("&") if secret is not None else ""
    return value if _QUERY.fullmatch(value) else ""
