"""A folder for the processes of one server alone, which is gone with them: at the latest when the next server starts."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "topicfeeds-web-"
_LOCK = "lock"
_LONGEST = 60
_FRESH = 1.0
"""Seconds for which a folder may be there without its lock being held."""


@contextmanager
def room() -> Iterator[Path]:
    """The folder. A lock says that it is in use, and ends with the last process that was forked from this one."""
    place = _place()
    _clear(place)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True) as name:
        lock = os.open(Path(name) / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield Path(name)
        finally:
            os.close(lock)


def _place() -> str:
    """The temporary folder, or a shorter one: the path of a Unix socket may have some hundred bytes."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= _LONGEST else "/tmp"  # noqa: S108  made by mkdtemp there


def _clear(place: str) -> None:
    """Remove what servers have left that were killed."""
    for left in Path(place).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < _FRESH:
                continue
            lock = os.open(left / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
