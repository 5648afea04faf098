"""Asks a host no more often than is polite: one request at a time, a pause after each, robots.txt heeded for pages.

The turns are kept in the store, so that all threads and processes together are as polite as one.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from protego import Protego

from feeds.errors import FetchError
from feeds.fetch import Fetched, Fetcher, NotModified
from feeds.settings import Fetching
from feeds.store import Store
from feeds.store.hosts import Turn

AGENT = "topicfeeds"
_ROBOTS_AGE = timedelta(days=1)
_LONGEST_DELAY = timedelta(minutes=1)
_MARGIN = timedelta(seconds=10)
_GLANCE = 0.25


class Courtesy:
    """A fetcher that waits for its turn. ``now`` is the precise wall clock that the turns of all processes share."""

    def __init__(self, fetcher: Fetcher, store: Store, settings: Fetching, *, now: Callable[[], datetime]) -> None:
        self._fetcher = fetcher
        self._store = store
        self._settings = settings
        self._now = now

    def get(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        """Ask for a document in turn. Raises FetchError, with the cause ``busy`` when the host's turn does not come."""
        return self._get(url, self._settings.pace, etag=etag, last_modified=last_modified)

    def get_page(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        """Ask for a page for people, if robots.txt (RFC 9309) lets us. Raises FetchError, with the cause ``robots`` if not."""
        rules = _rules(self._robots(url))
        if not rules.can_fetch(url, AGENT):
            raise FetchError(url, "is closed to us by robots.txt", cause="robots")
        delay = timedelta(seconds=float(rules.crawl_delay(AGENT) or 0))
        return self._get(url, max(self._settings.pace, min(delay, _LONGEST_DELAY)), etag=etag, last_modified=last_modified)

    def busy(self) -> frozenset[str]:
        """The hosts whose turn has not come."""
        return self._store.hosts.busy(self._now())

    def _get(self, url: str, pause: timedelta, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        with self._turn(url, pause):
            return self._fetcher.get(url, etag=etag, last_modified=last_modified)

    @contextmanager
    def _turn(self, url: str, pause: timedelta) -> Iterator[None]:
        """Wait for the host's turn, and let the next one have it after a pause.

        A Retry-After is for the source that was given it (its next check heeds it), not for its neighbours on the host.
        """
        host = host_of(url)
        self._wait(url, host)
        try:
            yield
        finally:
            self._store.hosts.give_back(host, free_at=self._now() + pause)

    def _wait(self, url: str, host: str) -> None:
        end = time.monotonic() + (self._settings.timeout * 2 + _MARGIN).total_seconds()
        dead: Turn | None = None
        while True:
            now = self._now()
            turn = self._store.hosts.take(
                host, now=now, until=now + self._settings.timeout + _MARGIN, holder=_myself(), instead_of=dead
            )
            if turn is None:
                return
            if turn != dead and _is_dead(turn.holder):
                dead = turn
                continue
            wait = (turn.free_at - now).total_seconds()
            if time.monotonic() + min(wait, _GLANCE) > end:
                raise FetchError(url, f"has to wait: {host} is not free before {turn.free_at:%H:%M:%S} UTC", cause="busy")
            time.sleep(max(min(wait, _GLANCE), 0.001))

    def _robots(self, url: str) -> str:
        """A host's robots.txt, kept for a day; one that does not exist allows everything (RFC 9309 §2.3.1.3)."""
        host, now = host_of(url), self._now()
        known = self._store.hosts.robots(host, since=now - _ROBOTS_AGE)
        if known is not None:
            return known
        try:
            answer = self._get(urljoin(url, "/robots.txt"), timedelta(0))
            text = answer.document.body.decode("utf-8", "replace") if isinstance(answer, Fetched) else ""
        except FetchError as error:
            if error.status is None or error.status >= 500 or error.status == 429:
                raise FetchError(url, f"is not asked for while robots.txt cannot be read: {error}", cause="robots") from error
            text = ""
        self._store.hosts.keep_robots(host, text, now)
        return text


def _myself() -> str:
    """This process, as the holder of a turn."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _is_dead(holder: str) -> bool:
    """Whether a process of this machine is gone, and with it the request that it had under way."""
    machine, _, number = holder.rpartition("/")
    if machine != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def host_of(url: str) -> str:
    """What one host is to us: its name and port."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


@lru_cache(maxsize=256)
def _rules(text: str) -> Protego:
    return Protego.parse(text)
