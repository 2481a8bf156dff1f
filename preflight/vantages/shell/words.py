"""Words that tools have for errors of sockets, and the frame around each tool's lines: start, end, exit code. Pure."""

import re
from collections.abc import Sequence

import msgspec

KILLED = 128  # exit codes from here on: ended by a signal, which is how the probe's own limit ends a tool
_ERRORS = (
    (re.compile(r"refused|errno[=:]111", re.IGNORECASE), "ECONNREFUSED"),
    (re.compile(r"no route to host|errno[=:]113|host (is )?unreachable", re.IGNORECASE), "EHOSTUNREACH"),
    (re.compile(r"network (is )?unreachable|errno[=:]101", re.IGNORECASE), "ENETUNREACH"),
    (re.compile(r"reset by peer|errno[=:]104", re.IGNORECASE), "ECONNRESET"),
    (re.compile(r"permission denied|not permitted|errno[=:]1\b|errno[=:]13\b", re.IGNORECASE), "EACCES"),
    (re.compile(r"cannot assign requested|errno[=:]99", re.IGNORECASE), "EADDRNOTAVAIL"),
)
# openssl/sslerr.h: reasons of alerts begin with the protocol in which each was defined.
_ALERT = re.compile(r"(?:tlsv1|sslv3|tlsv13|tlsv1\.3)(?: alert)? ([a-z][a-z ]{2,40}[a-z])", re.IGNORECASE)
_SILENT = re.compile(r"timed? ?out|errno[=:]110", re.IGNORECASE)
_UNKNOWN_NAME = re.compile(
    r"could ?n.t resolve|name or service not known|bad address|temporary failure in name|no address associated"
    r"|nodename nor servname|unable to resolve|host not found|name does not resolve",
    re.IGNORECASE,
)


def errno(text: str) -> str | None:
    """The errno behind a message; None when it names none."""
    return next((code for pattern, code in _ERRORS if pattern.search(text)), None)


def alert(text: str) -> str | None:
    """The alert that OpenSSL was sent: `...:tlsv1 unrecognized name:...` -> `unrecognized_name`."""
    found = _ALERT.search(text)
    return found[1].strip().lower().replace(" ", "_") if found is not None else None


def is_silence(text: str) -> bool:
    """Whether a message says that nothing answered."""
    return bool(_SILENT.search(text))


def is_unknown_name(text: str) -> bool:
    """Whether a message says that the name has no address."""
    return bool(_UNKNOWN_NAME.search(text))


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one tool said, without the frame."""

    lines: tuple[str, ...]
    exit_code: int | None = None  # None: it never ended, as far as is known
    seconds: float = 0.0  # by the place's own clock, which the probe reads in whole seconds

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


def told(lines: Sequence[str]) -> Told:
    """Take the frame off: `@1795613568` before and after, `rc=0` at the end."""
    times = [moment for line in lines if (moment := epoch(line)) is not None]
    codes = [int(line[3:]) for line in lines if re.fullmatch(r"rc=[0-9]{1,3}", line)]
    kept = tuple(line for line in lines if epoch(line) is None and not line.startswith("rc="))
    seconds = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return Told(lines=kept, exit_code=codes[-1] if codes else None, seconds=max(seconds, 0.0))


def epoch(line: str) -> int | None:
    """`@1795613568` as a number."""
    return int(line[1:]) if re.fullmatch(r"@[0-9]{9,11}", line) else None
