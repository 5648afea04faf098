"""A folder of files that are replaced whole, for a web server that reads it meanwhile. Knows files and times, and nothing of feeds.

A file is written beside its place, flushed to the disk and renamed over what was there: whoever reads, and a process that is
killed, sees the old one or the new one. What is already as it should be is not touched.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from feeds.errors import ExportError

_MARK = ".topicfeeds"
_UNFINISHED = ".tmp"


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own a folder alone: it is made, or is empty, or was owned before. Raises ExportError for somebody else's."""
    mark = folder / _MARK
    try:
        if folder.exists() and not mark.exists() and any(folder.iterdir()):
            raise ExportError(f"{folder}: has files that no export wrote; name a new or empty folder")
        folder.mkdir(parents=True, exist_ok=True)
        with mark.open("a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ExportError(f"{folder}: another export is writing here; end it first") from None
            yield
    except OSError as error:
        raise ExportError(f"{error.filename or folder}: {error.strerror or error}") from error


class Tree:
    """The files below a folder, by name relative to it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._touched: set[Path] = set()

    def put(self, bodies: Mapping[str, bytes], *, modified: datetime) -> bool:
        """Put the files of one resource in place, all with one time of modification; whether any byte changed.

        A file that replaces another is newer than that by a second at least, so that its time and size together tell the versions
        apart; and no time ever goes back.
        """
        present = {name: found for name in bodies if (found := self._read(name)) is not None}
        changed = [name for name, body in bodies.items() if name not in present or present[name][0] != body]
        times = [found[1] + (name in changed) for name, found in present.items()]
        moment = max([int(modified.timestamp()), *times])
        for name in changed:
            self._write(name, bodies[name], moment)
        for name, (_, before) in present.items():
            if name not in changed and before != moment:
                os.utime(self._root / name, (moment, moment))
        return bool(changed)

    def holds(self, bodies: Mapping[str, bytes]) -> bool:
        """Whether the files are there as they are given."""
        return all((found := self._read(name)) is not None and found[0] == body for name, body in bodies.items())

    def keep(self, names: Collection[str]) -> int:
        """Delete every file but these, and the folders that this leaves empty; how many files."""
        wanted = {self._root / name for name in names}
        deleted = 0
        for folder, _, files in os.walk(self._root, topdown=False):
            for file in {Path(folder, name) for name in files} - wanted:
                file.unlink()
                deleted += 1
            if Path(folder) != self._root and not any(Path(folder).iterdir()):
                Path(folder).rmdir()
        return deleted

    def settle(self) -> None:
        """Flush the folders in which files were replaced, so that a power cut forgets none of it."""
        for folder in self._touched:
            if folder.is_dir():
                descriptor = os.open(folder, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)
        self._touched.clear()

    def _read(self, name: str) -> tuple[bytes, int] | None:
        try:
            with (self._root / name).open("rb") as file:
                return file.read(), int(os.fstat(file.fileno()).st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, name: str, body: bytes, moment: int) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
        with unfinished.open("wb") as file:
            file.write(body)
            file.flush()
            os.utime(file.fileno(), (moment, moment))
            os.fsync(file.fileno())
        unfinished.replace(path)
        self._touched.add(path.parent)
