"""Holds what is in service in memory: path -> Representation, swapped whole when the store's revision moves.

The shelf of a web process outlives its database: what was loaded once is served until there is something newer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.lifecycle import Standing
from feeds.representation import Representation, build
from feeds.store import Publication, Store

log = structlog.get_logger(__name__)

_PARAMETERS = 8
"""How many parameters of a query are looked at."""

POLL = 0.5
"""Seconds between two looks at the store's revision."""


class Shelf:
    """The representations in service, and where every slug stands. All are replaced, never changed: a reader needs no lock.

    ``selected`` are those that have a query of their own, as ``path?query``.
    """

    def __init__(self, store: Store) -> None:
        self.paths: Mapping[str, Representation] = {}
        self.selected: Mapping[str, Representation] = {}
        self.standings: Mapping[str, Standing] = {}
        self.revision = 0
        self.error = ""
        self._store = store
        self._stop = threading.Event()

    def load(self) -> bool:
        """Take over what changed in the store; whether anything did. A store that cannot be read changes nothing."""
        try:
            if self._store.revision() == self.revision and self.paths:
                self.error = ""
                return False
            standings = self._store.standings()
            revision, paths, news = self._store.publications(since=self.revision)
        except SQLAlchemyError as error:
            self._complain(str(getattr(error, "orig", None) or error))
            return False
        fresh = {publication.path: _representation(publication) for publication in news}
        kept = {path: found for path, found in (*self.paths.items(), *self.selected.items()) if path in paths}
        there = {**kept, **fresh}
        self.paths = {path: found for path, found in there.items() if "?" not in path}
        self.selected = {path: found for path, found in there.items() if "?" in path}
        self.standings = standings
        self.revision = revision
        self.error = ""
        return bool(fresh)

    def find(self, path: str, query: str) -> Representation | None:
        """What a request with a query is for: the representation that one of its parameters selects, else that of the path."""
        for parameter in query.split("&", _PARAMETERS)[:_PARAMETERS]:
            if found := self.selected.get(f"{path}?{parameter}"):
                return found
        return self.paths.get(path)

    def watch(self) -> None:
        """Load now, and keep loading in a thread of this process and of every process that is forked from it."""
        self.load()
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _start(self) -> None:
        self._stop = threading.Event()
        threading.Thread(target=self._watch, args=(self._stop,), name="shelf", daemon=True).start()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(POLL):
            self.load()

    def _complain(self, error: str) -> None:
        if error != self.error:
            log.warning("shelf.store_lost", error=error, serving=len(self.paths))
        self.error = error


def _representation(publication: Publication) -> Representation:
    return build(
        publication.path,
        publication.codings,
        media_type=publication.media_type,
        last_modified=publication.last_modified,
        headers=publication.headers,
    )
