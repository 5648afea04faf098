"""Holds what is in service: path -> Representation, read from a file that all web processes of the machine map into memory.

Who follows the store writes what is new into the file (``stock``); all others only read on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from feeds.addresses import parameters
from feeds.serving import delta
from feeds.serving.deltas import Deltas
from feeds.serving.representation import Representation, build
from feeds.serving.segment import Record, Segment
from feeds.store.service import Edition
from feeds.topics.lifecycle import Standing

log = structlog.get_logger(__name__)

NONE = Edition("", 0)
"""Nothing was read yet."""

POLL = 0.5
"""Seconds between two looks at what is new."""

_FILE = "shelf"
_T = TypeVar("_T")


class Shelf:
    """The representations in service, and where every slug stands.

    ``paths`` are those that were asked for, and ``selected`` those of them that have a query of their own, as ``path?query``; the
    others are built from their records when they are asked for. All are replaced or added to, so that a reader needs no lock.
    """

    def __init__(self, folder: Path) -> None:
        self.paths: dict[str, Representation] = {}
        self.selected: dict[str, Representation] = {}
        self.standings: Mapping[str, Standing] = {}
        self.edition = NONE
        self.deltas = Deltas()
        self._records: dict[str, Record] = {}
        self._arriving: dict[str, Record] = {}
        self._segment = Segment(folder / _FILE)
        self._has_edition = False
        self._trouble = ""

    def __len__(self) -> int:
        """How many representations are in service."""
        return len(self._records)

    def find(self, path: str, query: str = "") -> Representation | None:
        """What a request is for: the representation that one of its parameters selects, else that of the path."""
        for parameter in parameters(query):
            if found := self._find(f"{path}?{parameter}", self.selected):
                return found
        return None if "?" in path else self._find(path, self.paths)

    def _find(self, name: str, built: dict[str, Representation]) -> Representation | None:
        """``built`` was taken before the record is: what is built from an old record does not come among the new ones."""
        found = built.get(name)
        if found is None and (record := self._records.get(name)) is not None:
            found = _representation(record)
            if found is None:
                self._discard(name)
            else:
                built[name] = found
        return found

    def _discard(self, path: str) -> None:
        """The file is not as it was written: have it written anew."""
        log.error("shelf.damaged", path=path, file=str(self._segment.path))
        self._records.pop(path, None)
        self.edition = NONE

    def read_on(self) -> bool:
        """Take over what other processes have written; whether anything is new. For one thread at a time.

        A file that cannot be read, or is not as it was written, changes nothing.
        """
        before = self.edition
        try:
            self._read_on()
        except (OSError, ValueError, LookupError, TypeError) as error:
            self._segment.close()
            self._arriving, self.edition = {}, NONE
            self._complain_of_file(f"{type(error).__name__}: {error}")
        return self.edition != before

    def _complain_of_file(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("shelf.unreadable", file=str(self._segment.path), error=trouble)
        self._trouble = trouble

    def _read_on(self) -> None:
        if not self._segment.is_current():
            self._arriving, self._has_edition = {}, False
            self._segment.open()
        for record in self._segment.read_on():
            self._take(record)

    def _take(self, record: Record) -> None:
        """A record comes into service with the one that closes its edition.

        That names what is gone; where it closes the first edition of a file, in which everything is written, all else is gone.
        """
        head = json.loads(record.head)
        if "path" in head:
            self._arriving[head["path"]] = record
            return
        left = self._records.keys() - self._arriving.keys() if head.get("whole") else set()
        gone = {*head["gone"], *left}
        for path, there in self._arriving.items():
            former = self._records.get(path)
            if former is not None and former.head != there.head:
                self.deltas.remember(path, _edition(former))
        for path in gone:
            self.deltas.forget(path)
        self._records = _without({**self._records, **self._arriving}, gone)
        changed = [*self._arriving, *gone]
        self.paths, self.selected = _without(self.paths.copy(), changed), _without(self.selected.copy(), changed)
        self._arriving, self._has_edition = {}, True
        if "standings" in head:  # they moved
            self.standings = {slug: Standing(*standing) for slug, standing in head["standings"].items()}
        self.edition = Edition(head["epoch"], head["revision"])


def _without(found: dict[str, _T], names: Iterable[str]) -> dict[str, _T]:
    for name in names:
        found.pop(name, None)
    return found


def _representation(record: Record) -> Representation | None:
    """A representation whose bodies are windows into the file; None if they are not what was written."""
    head: dict[str, Any] = json.loads(record.head)
    built = build(
        head["path"],
        dict(_bodies(record, head["codings"])),
        media_type=head["media_type"],
        last_modified=datetime.fromisoformat(head["last_modified"]),
        headers=[(name, value) for name, value in head["headers"]],
    )
    return built if built.tag == head["tag"] else None


def _edition(record: Record) -> delta.Edition:
    """What deltas are made from: the bytes without a coding."""
    head: dict[str, Any] = json.loads(record.head)
    return delta.Edition(head["tag"], dict(_bodies(record, head["codings"]))["identity"])


def _bodies(record: Record, sizes: dict[str, int]) -> Iterator[tuple[str, bytes | memoryview]]:
    start = 0
    for coding, size in sizes.items():
        yield coding, record.body[start : start + size]
        start += size
