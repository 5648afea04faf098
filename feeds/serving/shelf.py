"""Holds what is in service: path -> Representation, taken over from the store whenever its revision moves.

The bodies lie in a file that all web processes of the machine map into memory; whichever of them sees news first writes them there.
The shelf outlives the database: what was taken over once is served until there is something newer, over restarts as well.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.addresses import parameters
from feeds.serving import delta
from feeds.serving.deltas import Deltas
from feeds.serving.representation import Representation, build
from feeds.serving.segment import Record, Segment
from feeds.store import Publication, Store
from feeds.store.service import Edition, News
from feeds.topics.lifecycle import Standing

log = structlog.get_logger(__name__)

_WASTE = 1 << 26
"""Bytes of what is no longer in service that the file may hold, beyond as much again as is in service."""

_NONE = Edition("", 0)

POLL = 0.5
"""Seconds between two looks at the store's revision."""

FIRST = 5.0
"""Seconds that a process waits before it serves, when another one is just writing what it would serve."""

_GLANCE = 0.02


class Shelf:
    """The representations in service, and where every slug stands.

    ``paths`` are those that were asked for, and ``selected`` those of them that have a query of their own, as ``path?query``; the
    others are built from their records when they are asked for. All are replaced or added to, so that a reader needs no lock.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.paths: dict[str, Representation] = {}
        self.selected: dict[str, Representation] = {}
        self.standings: Mapping[str, Standing] = {}
        self.edition = _NONE
        self.error = ""
        self.deltas = Deltas()
        self._records: dict[str, Record] = {}
        self._arriving: dict[str, Record] = {}
        self._store = store
        self._segment = Segment(_writable(folder) / "shelf")
        self._loading = threading.Lock()
        self._stop = threading.Event()

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
        self.edition = _NONE

    def load(self) -> bool:
        """Take over what changed in the store; whether anything did. A store that cannot be read changes nothing."""
        with self._loading:
            return self._load()

    def _load(self) -> bool:
        before = self.edition
        self._read_on()
        try:
            if self._store.edition() != self.edition:
                self._fetch()
        except (SQLAlchemyError, OSError) as error:
            self._complain(str(getattr(error, "orig", None) or error))
        else:
            self.error = ""
        return self.edition != before

    def watch(self) -> None:
        """Load now, and keep loading in a thread of this process and of every process that is forked from it."""
        self._load_first()
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _load_first(self) -> None:
        """Load what the store has; where another process is just writing it into the file, wait for that."""
        deadline = time.monotonic() + FIRST
        self.load()
        while self._is_behind() and time.monotonic() < deadline:
            time.sleep(_GLANCE)
            self.load()

    def _is_behind(self) -> bool:
        with suppress(SQLAlchemyError):
            return not self.error and self._store.edition() != self.edition
        return False

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _start(self) -> None:
        self._loading = threading.Lock()  # in a process that was forked, whoever held the former one is not there
        self._stop = threading.Event()
        threading.Thread(target=self._watch, args=(self._stop,), name="shelf", daemon=True).start()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(POLL):
            self.load()

    def _fetch(self) -> None:
        """Write the news into the file, unless another process is at it."""
        with self._segment.writing() as allowed:
            if not allowed:
                return
            self._read_on()
            with self._store.news(since=0 if self._is_of_another(self._store.edition()) else self.edition.revision) as found:
                if found.edition != self.edition:
                    self._write(found)

    def _is_of_another(self, present: Edition) -> bool:
        """Whether what is on the shelf came from another store, or from a later state of this one."""
        return present.epoch != self.edition.epoch or present.revision < self.edition.revision

    def _write(self, found: News) -> None:
        if self._is_of_another(found.edition):
            self._begin([])
        elif self._segment.size > 2 * self._size() + _WASTE:
            self._begin(self._records.values())
        for publication in found.publications:
            self._take(self._segment.append(_record(publication)))
        gone = sorted(self._records.keys() - found.paths)
        self._take(self._segment.append(_closing(found, gone)))

    def _begin(self, records: Iterable[Record]) -> None:
        """Start a new file with these records; what is in service stays so until the next edition is complete."""
        self._segment.replace(records)
        self.deltas.forget()
        for record in self._segment.read_on():
            self._take(record)

    def _read_on(self) -> None:
        """Take over what other processes have written."""
        if not self._segment.is_current():
            self._arriving = {}
            self._segment.open()
        for record in self._segment.read_on():
            self._take(record)

    def _take(self, record: Record) -> None:
        """A record comes into service with the one that closes its edition."""
        head = json.loads(record.head)
        if "path" in head:
            self._arriving[head["path"]] = record
            return
        for path in self._arriving:
            if path in self._records:
                self.deltas.remember(path, _edition(self._records[path]))
        for path in head["gone"]:
            self.deltas.forget(path)
        self._records = {path: there for path, there in {**self._records, **self._arriving}.items() if path not in head["gone"]}
        self.paths, self.selected = self._unchanged(self.paths), self._unchanged(self.selected)
        self._arriving = {}
        self.standings = {slug: Standing(*standing) for slug, standing in head["standings"].items()}
        self.edition = Edition(head["epoch"], head["revision"])

    def _unchanged(self, built: dict[str, Representation]) -> dict[str, Representation]:
        return {path: found for path, found in built.items() if path in self._records and path not in self._arriving}

    def _size(self) -> int:
        return sum(len(record.body) for record in self._records.values())

    def _complain(self, error: str) -> None:
        if error != self.error:
            log.warning("shelf.store_lost", error=error, serving=len(self))
        self.error = error


def _writable(folder: Path) -> Path:
    """The folder, or one for this process alone where it cannot be written to."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    log.warning("shelf.folder_unwritable", folder=str(folder), effect="web processes do not share memory")
    return Path(tempfile.mkdtemp(prefix="topicfeeds-"))


def _record(publication: Publication) -> Record:
    head = {
        "path": publication.path,
        "tag": publication.tag,
        "media_type": publication.media_type,
        "last_modified": publication.last_modified.isoformat(),
        "headers": publication.headers,
        "codings": {coding: len(body) for coding, body in publication.codings.items()},
    }
    return Record(json.dumps(head).encode(), b"".join(publication.codings.values()))


def _closing(found: News, gone: list[str]) -> Record:
    """What closes an edition: its name, the paths that are no longer in service, and where the slugs stand."""
    standings = {slug: (standing.phase, standing.leads_to) for slug, standing in found.standings.items()}
    head = {"epoch": found.edition.epoch, "revision": found.edition.revision, "gone": gone, "standings": standings}
    return Record(json.dumps(head).encode(), b"")


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
