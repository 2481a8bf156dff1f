"""Files for parsers that take a path: in memory where one file is all, a scratch folder where its place counts."""

import atexit
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

_SHARED = Path("/dev/shm")


class InMemory(type(Path())):  # type: ignore[misc] - the path class of this platform
    """A path whose file is bytes at hand; beside it there is nothing."""

    content: bytes | None = None

    def open(self, mode: str = "r", *_: Any, encoding: str | None = None, errors: str | None = None, **__: Any) -> Any:
        """As `Path.open` for reading."""
        if self.content is None:
            raise FileNotFoundError(2, "No such file or directory")
        raw = io.BytesIO(self.content)
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding=encoding, errors=errors)

    def is_dir(self, **_: Any) -> bool:
        """It is a file."""
        return False


def in_memory(content: bytes, name: str = "input") -> Path:
    """A path to this content."""
    path = InMemory("/fuzz", name)
    path.content = content
    return path


class Scratch:
    """A folder that is made when first needed and removed at exit."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder."""
        if self._folder is None:
            where = str(_SHARED) if _SHARED.is_dir() else None
            self._folder = Path(tempfile.mkdtemp(prefix="preflight-fuzz-", dir=where))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def file(self, content: bytes, name: str = "input") -> Path:
        """A file with this content."""
        path = self.folder / name
        if path.parent != self._folder:
            path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path
