"""TLS over any byte stream, and one handshake that verifies, told as facts.

asyncio's own TLS reports a FIN after the ClientHello as a reset without errno and drops plain-text answers; this keeps
first bytes, byte counts, the alert, end-of-file versus reset, and the chain.
"""

import contextlib
import errno
import re
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from preflight.model.observation import TlsFacts
from preflight.probes import certificates, names
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.streams import ByteStream
from preflight.probes.trust import Judge

T = TypeVar("T")
_FIRST = 64
_CHUNK = 65_536
# Bytes of one handshake, or of records between two pieces of data (tickets, key updates). The largest chains in use
# have a quarter of this; it lies below the 102,400 that OpenSSL grants the certificates alone.
FLIGHT_LIMIT = 98_304

# RFC 8446, section 6 and RFC 5246, 6066, 7301: the alerts that a client can receive.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
_ALERT_REASON = re.compile(r"^(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)$")


class TlsStream:
    """A TLS client session on top of another stream; it is a stream itself, so it stacks."""

    def __init__(self, below: ByteStream, context: ssl.SSLContext, server_name: str) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.received = 0
        self.first = b""
        self.last = b""

    async def handshake(self) -> None:
        """Raises EOFError at an end of file, ssl.SSLError and OSError as they come."""
        await self._pump(self.tls.do_handshake)

    async def recv(self, size: int) -> bytes:
        """At least one byte, or b"" at the end, announced (close_notify) or not."""
        try:
            return await self._pump(lambda: self.tls.read(size))
        except (EOFError, ssl.SSLZeroReturnError):
            return b""

    async def send(self, data: bytes) -> None:
        """All of the data."""
        try:
            await self._pump(lambda: self.tls.write(data))
        except EOFError as error:
            raise BrokenPipeError(errno.EPIPE, "the peer has closed the session") from error

    def close(self) -> None:
        """Closes what is below, at once; nobody waits for a close_notify."""
        self._below.close()

    async def _pump(self, operation: Callable[[], T]) -> T:
        room = FLIGHT_LIMIT
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await self._flush()
                room -= await self._fill(room)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush()  # our alert, so that the server's log says what we saw
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._below.send(data)

    async def _fill(self, room: int) -> int:
        if room <= 0:
            raise OSError(errno.EMSGSIZE, f"more than {FLIGHT_LIMIT:,} bytes of TLS and no end")
        data = await self._below.recv(min(_CHUNK, room))
        if not data:
            raise EOFError
        self.received += len(data)
        self.first = (self.first + data)[:_FIRST]
        self.last = (self.last + data)[-7:]
        return self._incoming.write(data)


async def handshake(
    below: ByteStream, judge: Judge, server_name: str, cap: Cap, clock: Clock
) -> tuple[TlsFacts, TlsStream | None]:
    """One handshake that verifies chain and name; without success the stream below is closed."""
    at_ms = clock.ms()
    stream: TlsStream | None = None
    try:
        stream = TlsStream(below, judge.context, server_name)
        async with cap.hold():
            await stream.handshake()
        told: dict[str, Any] = {"result": "ok"}
    except TimeoutError as error:
        told = {"result": "timeout", "errno": _errno(error)}
    except ssl.SSLError as error:
        told = _refused(error, stream)
    except EOFError:
        told = {"result": "closed"}
    except OSError as error:
        told = {
            "result": _TOLD.get(error.errno or 0, "error"),
            "errno": _errno(error),
            "detail": (error.strerror or str(error))[:200],
        }
    except ValueError as error:  # UnicodeError among them: what the ssl module says to an impossible name
        told = {"result": "error", "detail": f"not a legal server name: {error}"[:200]}
    except BaseException:
        below.close()
        raise
    facts = _facts(told, stream, judge, server_name, at_ms=at_ms, duration_ms=clock.since(at_ms))
    if facts.result == "ok":
        return facts, stream
    below.close()
    return facts, None


_TOLD = {
    **dict.fromkeys((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED), "reset"),
    errno.EMSGSIZE: "too-large",
}


def _facts(
    told: dict[str, Any],
    stream: TlsStream | None,
    judge: Judge,
    server_name: str,
    *,
    at_ms: float,
    duration_ms: float,
) -> TlsFacts:
    seen: dict[str, Any] = {}
    trust = judge.label
    if stream is not None:
        presented = certificates.presented(stream.tls)
        chain = certificates.read(presented[: certificates.MAX_CHAIN])
        cipher = stream.tls.cipher() if told["result"] == "ok" else None
        trust = judge.vouching(certificates.verified(stream.tls)) if cipher else trust
        seen = {
            "version": stream.tls.version() if cipher else None,
            "cipher": cipher[0] if cipher else None,
            "alpn": stream.tls.selected_alpn_protocol() if cipher else None,
            "bytes_received": stream.received,
            "first_bytes": "" if cipher else stream.first.hex(),
            "chain": chain,
            "chain_source": "handshake" if chain else None,
            "detail": _left_out(len(presented)),
        }
        if _is_plain(stream.first):
            told = {**told, "result": "not-tls"}
    return TlsFacts(
        server_name=None if names.literal(server_name) else server_name,
        trust=trust,
        alpn_offered=judge.alpn,
        at_ms=at_ms,
        duration_ms=duration_ms,
        **{**seen, **told},
    )


def _left_out(count: int) -> str:
    limit = certificates.MAX_CHAIN
    return f"{count} certificates were presented, the first {limit} are kept" if count > limit else ""


def _is_plain(first: bytes) -> bool:
    """Whether these bytes cannot open a TLS record: content types 20 to 23, major version 3 (RFC 8446, 5.1)."""
    return bool(first) and (first[0] not in range(20, 24) or first[1:2] not in (b"", b"\x03"))


def _refused(error: ssl.SSLError, stream: TlsStream | None) -> dict[str, Any]:
    """What OpenSSL says: our verification, the peer's alert, or bytes that make no sense."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = str(error.verify_message)[:200]
        return {"result": "unverified", "verify_code": error.verify_code, "verify_message": message}
    alert = _alert(error, stream)
    if alert == "close_notify":
        return {"result": "closed", "alert": alert}
    if alert is not None:
        return {"result": "alert", "alert": alert}
    result = "too-large" if error.reason == "EXCESSIVE_MESSAGE_SIZE" else "error"
    return {"result": result, "detail": (error.reason or str(error))[:200]}


def _alert(error: ssl.SSLError, stream: TlsStream | None) -> str | None:
    """The name of the alert that was received: from OpenSSL's reason, or from the last record as it came."""
    found = _ALERT_REASON.match(error.reason or "")
    if found and found[1].lower() in ALERTS.values():
        return found[1].lower()
    last = stream.last if stream is not None else b""
    if len(last) == 7 and last[0] == 21 and last[1] == 3 and last[3:5] == b"\x00\x02":
        return ALERTS.get(last[6], f"alert {last[6]}")
    return None


def _errno(error: OSError) -> str | None:
    return None if error.errno is None else errno.errorcode.get(error.errno, str(error.errno))


async def read_chain(below: ByteStream, server_name: str, alpn: tuple[str, ...], cap: Cap) -> tuple[bytes, ...]:
    """The fallback reader: shakes hands without judging, hands out the certificates as DER, and closes the stream.

    It is the one place without verification, and gives nobody a stream on which a request could be sent. Python before
    3.13 may hide all but the leaf.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        stream = TlsStream(below, context, server_name)
        async with cap.hold():
            await stream.handshake()
        leaf = stream.tls.getpeercert(binary_form=True)
        return certificates.presented(stream.tls)[: certificates.MAX_CHAIN] or ((leaf,) if leaf else ())
    except (OSError, EOFError, ValueError):
        return ()
    finally:
        below.close()
