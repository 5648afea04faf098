"""Counts what is served: requests, bytes, and who subscribes. A request costs one append; a thread adds up and writes to the store.

Who subscribes is known by address and User-Agent, hashed with a key that changes every day; feed readers that fetch for many people
say for how many in their User-Agent ("42 subscribers"). Nothing else of a request is kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.configuration import REVISED
from feeds.serving.recording import Hit, Recorded
from feeds.store import Store
from feeds.store.traffic import Reader, Tally, Traffic, add

log = structlog.get_logger(__name__)

WAITING = 100_000
"""Requests that may wait to be added up; beyond them the oldest are not counted."""

_PERIOD = 10.0
"""Seconds between two writes to the store."""

_READERS = 200_000
"""Different readers that are told apart between two writes."""

_FEED = re.compile(rf"/feeds/([^/]+?)(?:{re.escape(REVISED)})?\.([a-z]+)")
_DECLARED = re.compile(r"(\d{1,9}) (?:subscriber|reader)s?", re.IGNORECASE)


class Counting:
    """``record`` takes a Hit; ``write`` adds them up. ``hops`` is how many proxies in front are believed in X-Forwarded-For."""

    def __init__(self, store: Store, *, hops: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._hits: deque[Recorded] = deque(maxlen=WAITING)
        self.record = self._hits.append
        self._store = store
        self._hops = hops
        self._now = now
        self._tallies: Counter[Tally] = Counter()
        self._bytes: Counter[Tally] = Counter()
        self._readers: dict[Reader, int] = {}
        self._epoch = ""
        self._writing, self._stop = threading.Lock(), threading.Event()

    def watch(self) -> None:
        """Write from time to time, in a thread of this process and of every process that is forked from it."""
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def close(self) -> None:
        """Stop watching, after a last write."""
        self._stop.set()
        self.write()

    def write(self) -> None:
        """Add up what was recorded, and add that to the store; what it does not take now it is given the next time."""
        with self._writing:
            try:
                if self._hits:
                    self._add_up()
                if self._tallies:
                    self._save()
            except SQLAlchemyError as error:
                log.warning("counting.store_lost", error=str(getattr(error, "orig", None) or error))

    def _save(self) -> None:
        traffic = Traffic({tally: (count, self._bytes[tally]) for tally, count in self._tallies.items()}, self._readers)
        with self._store.engine.begin() as connection:
            add(connection, traffic)
        self._tallies, self._bytes, self._readers = Counter(), Counter(), {}

    def _start(self) -> None:
        self._writing, self._stop = threading.Lock(), threading.Event()
        threading.Thread(target=self._watch, args=(self._stop,), name="counting", daemon=True).start()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(_PERIOD):
            self.write()

    def _add_up(self) -> None:
        day = self._now().date().isoformat()
        self._epoch = self._epoch or self._store.edition().epoch
        key = f"{day} {self._epoch}".encode()[:64]
        for recorded, count in Counter(self._recorded()).items():  # nearly all polls of a reader are alike
            hit = Hit(*recorded)
            found = _FEED.fullmatch(hit.path)
            topic, suffix = found.groups() if found else ("", "page")
            tally = Tally(day, topic, suffix, int(hit.status[:3]))
            self._tallies[tally] += count
            self._bytes[tally] += hit.size * count
            if topic and len(self._readers) < _READERS:
                self._meet(day, topic, hit, key)

    def _recorded(self) -> Iterator[Recorded]:
        while self._hits:
            yield self._hits.popleft()

    def _meet(self, day: str, topic: str, hit: Hit, key: bytes) -> None:
        declared = _DECLARED.search(hit.user_agent)
        who = _DECLARED.sub("", hit.user_agent) if declared else f"{self._address(hit)} {hit.user_agent}"
        reader = Reader(day, topic, hashlib.blake2b(who.encode(errors="replace"), key=key, digest_size=12).hexdigest())
        self._readers[reader] = max(self._readers.get(reader, 0), int(declared[1]) if declared else 1)

    def _address(self, hit: Hit) -> str:
        """Who asked: what the outermost proxy that is believed heard of."""
        forwarded = [part.strip() for part in hit.forwarded.split(",")] if hit.forwarded else []
        return forwarded[-self._hops] if 0 < self._hops <= len(forwarded) else hit.address
