"""The way in for a folder of posts on this machine: finds its files, bounds what is read, tells whether anything changed.

It knows directories and files and nothing of what stands in them; it never leaves the folder, by a link or otherwise.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from feeds.errors import FetchError
from feeds.model import Document

_SUFFIXES = {".md": "text/markdown", ".markdown": "text/markdown", ".mdown": "text/markdown", ".mkd": "text/markdown"}
_SUFFIXES |= {".mdx": "text/markdown", ".html": "text/html", ".htm": "text/html"}
_SKIPPED = ("node_modules",)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    path: Path
    size: int
    modified: int


def read(path: Path, *, max_files: int, max_bytes: int) -> Iterator[Document]:
    """The folder's Markdown and HTML files in the order of their names, as ``file:`` and the path below the folder.

    A folder with more files, or more bytes in all, raises FetchError (``too-large``) before any is given: a part of it would look
    like posts that were taken away. So does one that is missing or cannot be read (``connection``). A file that vanishes while
    the others are read is gone.
    """
    files = _files(path, max_files)
    left = max_bytes
    if sum(file.size for file in files) > max_bytes:
        raise FetchError(str(path), f"holds more than {max_bytes} bytes of posts", cause="too-large")
    for file in files:
        body = _body(file, left)
        if body is None:
            continue
        left -= len(body)
        if left < 0:
            raise FetchError(str(path), f"holds more than {max_bytes} bytes of posts", cause="too-large")
        yield Document(f"file:{file.name}", body, _SUFFIXES[file.path.suffix.lower()], "")


def fingerprint(path: Path, *, max_files: int = 100_000) -> str:
    """A digest of the files' names, sizes and times of change, without opening any: equal as long as nothing was touched.

    Raises FetchError as ``read`` does.
    """
    digest = hashlib.sha256()
    for file in _files(path, max_files):
        digest.update(f"{file.name}\0{file.size}\0{file.modified}\0".encode())
    return digest.hexdigest()


def _files(folder: Path, max_files: int) -> list[_File]:
    root = folder.resolve()
    if not root.is_dir():
        raise FetchError(str(folder), "is no folder that can be read; check the source's `path`", cause="connection")
    found: list[_File] = []
    for file in _walk(root):
        if len(found) == max_files:
            raise FetchError(str(folder), f"holds more than {max_files} files of posts", cause="too-large")
        found.append(file)
    return sorted(found, key=lambda file: file.name)


def _walk(root: Path) -> Iterator[_File]:
    for directory, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES and (file := _look(root, Path(directory, name))):
                yield file


def _look(root: Path, path: Path) -> _File | None:
    """A regular file within the folder; None for anything else, links out of the folder or into a hidden part included."""
    if path.is_symlink():
        target = path.resolve()
        if root not in target.parents or any(part.startswith(".") for part in target.relative_to(root).parts):
            return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    name = os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace")
    return _File(name, path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _body(file: _File, limit: int) -> bytes | None:
    try:
        with file.path.open("rb") as opened:
            return opened.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(file.path, error) from error


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise _unreadable(Path(error.filename or "?"), error) from error


def _unreadable(path: Path, error: OSError) -> FetchError:
    return FetchError(str(path), f"cannot be read: {error.strerror or error}", cause="connection")
