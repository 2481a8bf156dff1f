"""What time a service says it is, asked where its certificate failed by its dates alone.

The chain and the name are verified as always, only the dates are not. Nothing but a bare HEAD without credentials is
sent, and the answer serves as a clock: it never makes a check pass.
"""

import contextlib
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from preflight.model.observation import TlsFacts
from preflight.probes.attempts import Cap
from preflight.probes.streams import ByteStream
from preflight.probes.tls import TlsStream

_BY_DATES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_HEAD_LIMIT = 16_384  # bytes


def is_wanted(facts: TlsFacts) -> bool:
    """Whether the dates are why verification failed."""
    return facts.result == "unverified" and facts.verify_code in _BY_DATES


async def ask(below: ByteStream, context: ssl.SSLContext, server_name: str, cap: Cap) -> str | None:
    """The Date header as ISO 8601 in UTC, or None; closes the stream."""
    host = f"[{server_name}]" if ":" in server_name else server_name
    try:
        stream = TlsStream(below, context, server_name)
        async with cap.hold():
            await stream.handshake()
            await stream.send(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii"))
            return date_in(await _head(stream))
    except (OSError, EOFError, ValueError):  # ssl.SSLError and TimeoutError are OSErrors
        return None
    finally:
        below.close()


async def _head(stream: ByteStream) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _HEAD_LIMIT:
        data = await stream.recv(_HEAD_LIMIT)
        if not data:
            break
        received += data
    return received.partition(b"\r\n\r\n")[0][:_HEAD_LIMIT]


def date_in(head: bytes) -> str | None:
    """The Date of a response's head (RFC 9110, 6.6.1); hostile bytes give None."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"date":
            with contextlib.suppress(ValueError, OverflowError):
                return _iso(parsedate_to_datetime(value.strip().decode("ascii")[:64]))
            return None
    return None


def _iso(moment: datetime) -> str:
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC).isoformat()
