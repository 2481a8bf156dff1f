"""One request as curl's trace tells it (`curl -sSv --trace-time`), line by line. Wording of curl 7.5x to 8.1x. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from preflight.probes import names
from preflight.vantages.shell import words

# curl's exit codes: everything.curl.dev/cmdline/exitcode
UNRESOLVED: Final = (5, 6)
UNVERIFIED: Final = (51, 60)
TIMEOUT: Final = 28
ENOUGH: Final = 23  # nobody read on: the body was longer than the probe wanted
BY_ITSELF: Final = (1, 2, 4, 27, 43, 48, 58, 59, 66, 77)  # what this curl cannot do says nothing about the network

_TIMED = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6}) (.*)")
_TRYING = re.compile(r"\*\s+Trying \[?([0-9A-Fa-f.:]+?)\]?(?::([0-9]{1,5}))?\.\.\.")
_CONNECTED = re.compile(
    r"\* (?:Connected to \S+ \(([0-9A-Fa-f.:]+)\) port ([0-9]{1,5})"
    r"|Established connection to \S+ \(([0-9A-Fa-f.:]+) port ([0-9]{1,5})\)).*"
)
_FAILED = re.compile(
    r"\* (?:connect to|Immediate connect fail for) (\S+?)(?: port [0-9]+)?(?: from .*?)?(?: failed)?: (.*)"
)
_BYTES = re.compile(r"[{}] \[[0-9]+ bytes data\]")
_STATUS = re.compile(r"HTTP/([0-9.]+) ([0-9]{3})\s?(.*)")
_PROXY = re.compile(r"\* Uses proxy env variable (\w+) == '(.*)'")
_VERSION = re.compile(r"\* SSL connection using (TLSv[0-9.]+)(?: / (\S+))?.*")
_ALPN = re.compile(r"\* ALPN(?:: server accepted|, server accepted to use) (\S+)")
_MESSAGE = re.compile(r"curl: \(([0-9]{1,3})\) (.*)")
_FIELDS = re.compile(r"\*\s{2,4}(subject|issuer|start date|expire date): (.*)")
_DAY_MS: Final = 24 * 3600 * 1000.0


class Try(msgspec.Struct, kw_only=True):
    """One connect; times are milliseconds since the run's first line."""

    address: str
    port: int
    at_ms: float
    done_ms: float | None = None
    connected: bool = False
    errno: str | None = None


class Answer(msgspec.Struct, kw_only=True):
    """One answer, the proxy's to CONNECT or the target's."""

    method: str
    at_ms: float
    done_ms: float = 0.0
    version: str = ""
    status: int | None = None
    reason: str = ""
    headers: list[tuple[str, str]] = []


class Run:
    """What one run of curl did."""

    def __init__(self, lines: Sequence[str], exit_code: int | None, port: int) -> None:
        self.exit_code, self._port = exit_code, port
        self.tries: list[Try] = []
        self.answers: list[Answer] = []
        self.proxy: tuple[str, str] | None = None  # variable and URL
        self.message = ""
        self.version: str | None = None
        self.cipher: str | None = None
        self.alpn: str | None = None
        self.certificate: dict[str, str] = {}
        self.hello_ms: float | None = None
        self.shaken_ms: float | None = None
        self.server_spoke = False
        self.end_ms = 0.0
        for at_ms, text in _timed(lines):
            self.end_ms = max(self.end_ms, at_ms)
            self._take(at_ms, text)

    @property
    def connected(self) -> Try | None:
        """The connection that was used."""
        return next((one for one in self.tries if one.connected), None)

    def _take(self, at_ms: float, text: str) -> None:
        if _BYTES.fullmatch(text):
            return
        match text[:2]:
            case "* ":
                self._note(at_ms, text)
            case "> ":
                self._sent(at_ms, text[2:])
            case "< ":
                self._received(at_ms, text[2:])
            case _:
                message = _MESSAGE.fullmatch(text)
                self.message = message[2][:300] if message is not None else self.message

    def _note(self, at_ms: float, text: str) -> None:
        if (match := _TRYING.fullmatch(text)) is not None:
            address = names.literal(match[1])
            if address is not None:
                self.tries.append(Try(address=address, port=int(match[2] or self._port), at_ms=at_ms))
        elif (match := _CONNECTED.fullmatch(text)) is not None:
            self._connect(at_ms, match[1] or match[3], int(match[2] or match[4]))
        elif (match := _FAILED.fullmatch(text)) is not None:
            self._fail(at_ms, match[1], match[2])
        elif (match := _PROXY.fullmatch(text)) is not None:
            self.proxy = (match[1].lower(), match[2])
        else:
            self._handshake(at_ms, text)

    def _handshake(self, at_ms: float, text: str) -> None:
        if (match := _VERSION.fullmatch(text)) is not None:
            self.version, self.cipher, self.shaken_ms = match[1], match[2], at_ms
        elif (match := _ALPN.fullmatch(text)) is not None:
            self.alpn = {"http/1.1": "http/1.1", "h2": "h2"}.get(match[1], match[1][:32])
        elif (match := _FIELDS.fullmatch(text)) is not None:
            self.certificate.setdefault(match[1], match[2])
        elif "ALPN" in text and "offer" in text:
            self.hello_ms = at_ms if self.hello_ms is None else self.hello_ms
        elif "(IN), TLS" in text:
            self.server_spoke = True

    def _connect(self, at_ms: float, told: str, port: int) -> None:
        address = names.literal(told)
        one = next((one for one in self.tries if one.address == address and one.done_ms is None), None)
        if one is None and address is not None:
            one = Try(address=address, port=port, at_ms=at_ms)
            self.tries.append(one)
        if one is not None:
            one.done_ms, one.connected = at_ms, True

    def _fail(self, at_ms: float, told: str, why: str) -> None:
        address = names.literal(told.strip("[]"))
        for one in self.tries:
            if one.address == address and one.done_ms is None:
                one.done_ms, one.errno = at_ms, words.errno(why)

    def _sent(self, at_ms: float, text: str) -> None:
        if re.fullmatch(r"[A-Z]{3,10} \S+ HTTP/[0-9.]+", text.strip()):
            self.answers.append(Answer(method=text.split(" ", maxsplit=1)[0], at_ms=at_ms, headers=[]))

    def _received(self, at_ms: float, text: str) -> None:
        if not self.answers:
            return
        last, text = self.answers[-1], text.rstrip()
        last.done_ms = at_ms
        if (match := _STATUS.fullmatch(text)) is not None:
            last.version, last.status, last.reason = f"HTTP/{match[1]}", int(match[2]), match[3][:200]
            last.headers.clear()  # of an interim answer
        elif (pair := text.partition(":"))[1] and len(last.headers) < 256:
            last.headers.append((pair[0].strip().lower(), pair[2].strip()))


def runs(lines: Sequence[str], port: int) -> list[Run]:
    """The runs in order; each is closed by its exit code. What follows the last one was cut off."""
    found, part = [], list[str]()
    for line in lines:
        if re.fullmatch(r"rc=[0-9]{1,3}", line):
            found.append(Run(part, int(line[3:]), port))
            part = []
        else:
            part.append(line)
    return [*found, Run(part, None, port)] if part else found


def _timed(lines: Sequence[str]) -> Iterator[tuple[float, str]]:
    """Milliseconds since the first line, over midnight too; lines without a time have the last one's."""
    first, now = None, 0.0
    for line in lines:
        match = _TIMED.fullmatch(line)
        if match is None:
            yield now, line
            continue
        hours, minutes, seconds, micros = (int(match[part]) for part in (1, 2, 3, 4))
        at = ((hours * 60 + minutes) * 60 + seconds) * 1000 + micros / 1000
        first = at if first is None else first
        now = round((at - first) % _DAY_MS, 3)
        yield now, match[5]
