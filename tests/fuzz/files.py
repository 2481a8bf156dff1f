"""Files in memory for parsers that take a path: one scratch folder a process, the same few names again and again."""

import atexit
import shutil
import tempfile
from pathlib import Path

_SHARED = Path("/dev/shm")


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
