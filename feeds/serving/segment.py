"""A file of records that all web processes of a machine map into memory together: written once, read by each, copied by none.

It knows bytes, not what they mean: a record is a head and a body. Records are only ever appended, and who has read up to some place
sees what came after by reading on; a whole new file takes the place of the old one when that has grown too large. The file is a
cache: it may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"topicfeeds\0\0\0\0\0\1"
_LENGTH = struct.Struct("<Q")
_LENGTHS = struct.Struct("<QQ")
_STEP = 1 << 26


class Record(NamedTuple):
    """``head`` says what ``body`` is. Of a record that was read, the body is a window into the mapped file.

    Such a window stays readable when the file is replaced or closed.
    """

    head: bytes
    body: bytes | memoryview


class Segment:
    """The file as one process sees it. For one thread; other processes may read and write at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._map = memoryview(b"")
        self._end = 0

    @property
    def size(self) -> int:
        """Bytes of all records that were read."""
        return self._end

    def is_current(self) -> bool:
        """Whether the file that was opened is the one that stands there now."""
        try:
            return self._file is not None and os.path.samestat(os.fstat(self._file), self.path.stat())
        except OSError:
            return False

    def open(self) -> bool:
        """Open the file that stands there now, to be read from its beginning; false if there is none, or none of ours."""
        self.close()
        with suppress(OSError):
            file = os.open(self.path, os.O_RDWR)
            if os.pread(file, len(_MAGIC), 0) == _MAGIC:
                self._file, self._end = file, len(_MAGIC)
            else:
                os.close(file)
        return self._file is not None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._map, self._end = None, memoryview(b""), 0

    def read_on(self) -> Iterator[Record]:
        """The records that came since those that were read last."""
        while found := self._next_lengths():
            head, body = found
            start = self._end + _LENGTHS.size
            self._end = _aligned(start + head + body)
            yield Record(bytes(self._map[start : start + head]), self._map[start + head : start + head + body])

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """The right to append and to replace; false if another process has it now."""
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _is_locked(lock)
        finally:
            os.close(lock)

    def append(self, record: Record) -> Record:
        """Add a record after all others, which must have been read; it comes back as one that was read. Only while ``writing``.

        What makes it visible is written last, so that a process which is killed on the way leaves nothing behind.
        """
        assert self._file is not None
        start = self._end + _LENGTHS.size
        end = start + len(record.head) + len(record.body)
        if end + _LENGTHS.size > os.fstat(self._file).st_size:
            os.ftruncate(self._file, end + _STEP)  # sparse: it takes no room until it is written to
        _write_all(self._file, record.head, start)
        _write_all(self._file, record.body, start + len(record.head))
        _write_all(self._file, _LENGTH.pack(len(record.body)), self._end + _LENGTH.size)
        _write_all(self._file, _LENGTH.pack(len(record.head)), self._end)
        return next(self.read_on())

    def replace(self, records: Iterable[Record]) -> None:
        """Put a new file with these records in the place of the present one, and open it. Only while ``writing``."""
        fresh = Segment(self.path.with_suffix(".new"))
        fresh._create()
        for record in records:
            fresh.append(record)
        fresh.close()
        fresh.path.replace(self.path)
        self.open()

    def _create(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _write_all(self._file, _MAGIC, 0)
        self._end = len(_MAGIC)

    def _next_lengths(self) -> tuple[int, int] | None:
        """How long the next record's head and body are; None if there is no next record yet."""
        if self._file is None:
            return None
        if self._end + _LENGTHS.size > len(self._map) and not self._map_more(self._end + _LENGTHS.size):
            return None
        head, body = _LENGTHS.unpack_from(self._map, self._end)
        end = self._end + _LENGTHS.size + head + body
        if not head or (end > len(self._map) and not self._map_more(end)):
            return None
        return head, body

    def _map_more(self, end: int) -> bool:
        """Map the file as it is now; whether it goes as far as ``end``."""
        assert self._file is not None
        length = os.fstat(self._file).st_size
        if length >= end > len(self._map):
            self._map = memoryview(mmap.mmap(self._file, length, prot=mmap.PROT_READ))
        return len(self._map) >= end


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _aligned(place: int) -> int:
    """The next place at which a length can be written in one piece."""
    return -(-place // _LENGTHS.size) * _LENGTHS.size


def _write_all(file: int, content: bytes | memoryview, place: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(file, rest, place)
        rest, place = rest[written:], place + written
