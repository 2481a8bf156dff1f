"""Files that are whole or not there: written beside, synced, renamed. Every function raises OSError and nothing else.

Files in the making are locked (flock), so that what a killed process left can be told from what a living one writes.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

_PREFIX, _SUFFIX = ".preflight-", ".tmp"
_MODE = 0o666  # the umask decides
_WHAT_TO_DO = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there, the quota is used up",
    errno.EROFS: "that file system is read-only",
    errno.EACCES: "you have no right to write there",
    errno.EPERM: "you have no right to write there",
    errno.EISDIR: "a folder has that name: move it away",
    errno.EEXIST: "a file has that name: move it away",
    errno.ENOTDIR: "part of the path is a file",
}


def replace(path: Path, text: str) -> None:
    """Put `text` at `path`: a reader sees the former file or this one, never half of one, and a failure leaves none."""
    replace_in_parts(path, lambda: (text,))


def replace_in_parts(path: Path, parts: Callable[[], Iterable[str]]) -> None:
    """The same with a text in pieces; they are asked for once more when the folder had gone away."""
    try:
        _replace(path, parts())
    except FileNotFoundError:  # the folder went away while the run went on
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, parts())


def _replace(path: Path, parts: Iterable[str]) -> None:
    handle, beside = create(path.parent)
    try:
        for part in parts:
            write(handle, part.encode("utf-8", errors="replace"))
        os.fsync(handle)
        beside.replace(path)
    except BaseException:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    finally:
        os.close(handle)
    _sync(path.parent)


def create(folder: Path) -> tuple[int, Path]:
    """A new, locked file under a name of its own, to be renamed; its descriptor is the caller's to close."""
    while True:
        path = folder / f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        _lock(handle)
        if os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)  # swept before it was locked


def write(handle: int, data: bytes) -> None:
    """All of it, however little the descriptor takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written; what somebody is writing, or others own, stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                _remove_if_abandoned(Path(entry.path))


def in_use(path: Path) -> bool:
    """Whether a living process holds the lock; False where the file system knows no locks."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return _lock(handle) is False
        finally:
            os.close(handle)
    return False


def advice(error: OSError) -> str:
    """What to do about it, in a few words."""
    return _WHAT_TO_DO.get(error.errno or 0, "")


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _lock(handle):
                path.unlink()
        finally:
            os.close(handle)


def _lock(handle: int) -> bool | None:
    """True: locked until the descriptor is closed; False: somebody else holds it; None: no locks here."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sync(folder: Path) -> None:
    """The rename, on disk as well; not every file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
