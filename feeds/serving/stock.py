"""Keeps the shelf as the store has it: whichever process first sees that its revision moved writes the news into the shared file.

The shelf outlives the database: what was taken over once is served until there is something newer, over restarts as well.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.serving.segment import Record
from feeds.serving.shelf import POLL, Shelf
from feeds.store import Publication, Store
from feeds.store.service import Edition, News
from feeds.topics.lifecycle import Standing

log = structlog.get_logger(__name__)

_WASTE = 1 << 26
"""Bytes of what is no longer in service that the file may hold, beyond as much again as is in service."""

FIRST = 5.0
"""Seconds that a process waits before it serves, when another one is just writing what it would serve."""

_GLANCE = 0.02


class StockedShelf(Shelf):
    """A shelf that follows a store. ``error`` is why that cannot be read at present, if so."""

    def __init__(self, store: Store, folder: Path) -> None:
        super().__init__(_writable(folder))
        self.error = ""
        self._store = store
        self._loading = threading.Lock()
        self._stop = threading.Event()

    def load(self) -> bool:
        """Take over what changed in the store; whether anything did. A store that cannot be read changes nothing."""
        with self._loading:
            return self._load()

    def _load(self) -> bool:
        before = self.edition
        self.read_on()
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
            self.read_on()
            with self._store.news(since=0 if self._is_of_another(self._store.edition()) else self.edition.revision) as found:
                if found.edition != self.edition:
                    self._write(found)

    def _is_of_another(self, present: Edition) -> bool:
        """Whether what is on the shelf came from another store, or from a later state of this one."""
        return present.epoch != self.edition.epoch or present.revision < self.edition.revision

    def _write(self, found: News) -> None:
        """Append what is new; to a new file where that is another store's, too large, or was left without an edition."""
        other = self._is_of_another(found.edition)
        anew = other or not self._has_edition or self._is_wasteful()
        if anew:
            self._begin([] if other else self._records.values())
        for publication in found.publications:
            self._take(self._segment.append(_record(publication)))
        known = self._arriving.keys() | (set() if other else self._records.keys())
        gone = known - found.paths() if len(known) != found.total else set()  # it has all that are in service, and perhaps more
        standings = found.standings if anew or found.standings != self.standings else None
        self._take(self._segment.append(_closing(found.edition, sorted(gone), standings, whole=anew)))

    def _is_wasteful(self) -> bool:
        return self._segment.size > _WASTE and self._segment.size > 2 * self._size() + _WASTE

    def _begin(self, records: Iterable[Record]) -> None:
        """Start a new file with these records; what is in service stays so until the next edition is complete."""
        self._segment.replace(records)
        self.deltas.forget()
        for record in self._segment.read_on():
            self._take(record)

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


def _closing(edition: Edition, gone: list[str], standings: Mapping[str, Standing] | None, *, whole: bool) -> Record:
    """What closes an edition: its name, the paths that are no longer in service, and where the slugs stand, if that moved.

    ``whole``: everything in service is in this file, and was appended with this edition.
    """
    head = {"epoch": edition.epoch, "revision": edition.revision, "gone": gone, "whole": whole}
    if standings is not None:
        head["standings"] = {slug: (standing.phase, standing.leads_to) for slug, standing in standings.items()}
    return Record(json.dumps(head).encode(), b"")
