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

from feeds.asking.fetch import Fetched, Fetcher, NotModified
from feeds.errors import FetchError
from feeds.operation import Fetching
from feeds.store import Store
from feeds.store.hosts import Turn

AGENT = "topicfeeds"
_ROBOTS_AGE = timedelta(days=1)
_ROBOTS_STALE = timedelta(days=30)
_ROBOTS_BYTES = 512 * 1024
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
        known = self._store.hosts.robots(host_of(url), since=self._now() - _ROBOTS_STALE)
        return self._get(url, self._pause(_rules(known or "")), etag=etag, last_modified=last_modified)

    def get_page(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        """Ask for a page for people, if robots.txt (RFC 9309) lets us. Raises FetchError, with the cause ``robots`` if not."""
        rules = _rules(self._robots(url))
        if not rules.can_fetch(url, AGENT):
            raise FetchError(url, "is closed to us by robots.txt", cause="robots")
        return self._get(url, self._pause(rules), etag=etag, last_modified=last_modified)

    def busy(self) -> frozenset[str]:
        """The hosts whose turn has not come."""
        return self._store.hosts.busy(self._now())

    def _pause(self, rules: Protego) -> timedelta:
        """The pause after a request: our own pace, or the host's Crawl-delay where that is longer, up to a minute."""
        seconds = float(rules.crawl_delay(AGENT) or 0)
        asked = min(seconds, _LONGEST_DELAY.total_seconds()) if seconds > 0 else 0
        return max(self._settings.pace, timedelta(seconds=asked))

    def _get(self, url: str, pause: timedelta, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        with self._turn(url, pause):
            return self._fetcher.get(url, etag=etag, last_modified=last_modified)

    @contextmanager
    def _turn(self, url: str, pause: timedelta) -> Iterator[None]:
        """Wait for the host's turn, and let the next one have it after a pause.

        A Retry-After is for the source that was given it (its next check heeds it), not for its neighbours on the host.
        """
        host = host_of(url)
        until = self._wait(url, host)
        try:
            yield
        finally:
            self._store.hosts.give_back(host, until=until, free_at=self._now() + pause)

    def _wait(self, url: str, host: str) -> datetime:
        """Take the host's turn; until when it is ours at most."""
        end = time.monotonic() + (self._settings.timeout * 2 + _MARGIN).total_seconds()
        dead: Turn | None = None
        while True:
            now = self._now()
            until = now + self._settings.timeout + _MARGIN
            turn = self._store.hosts.take(host, now=now, until=until, holder=_myself(), instead_of=dead)
            if turn is None:
                return until
            if turn != dead and _is_dead(turn.holder):
                dead = turn
                continue
            wait = (turn.free_at - now).total_seconds()
            if time.monotonic() + min(wait, _GLANCE) > end:
                raise FetchError(url, f"has to wait: {host} is not free before {turn.free_at:%H:%M:%S} UTC", cause="busy")
            time.sleep(max(min(wait, _GLANCE), 0.001))

    def _robots(self, url: str) -> str:
        """A host's robots.txt, kept for a day, and while it cannot be read for thirty (RFC 9309 §2.4).

        One that does not exist, or redirects without end, allows everything (§2.3.1.2, §2.3.1.3); one that cannot be read and was
        not for long closes the host (§2.3.1.4).
        """
        host, now = host_of(url), self._now()
        known = self._store.hosts.robots(host, since=now - _ROBOTS_AGE)
        if known is not None:
            return known
        try:
            answer = self._get(urljoin(url, "/robots.txt"), timedelta(0))
            text = _beginning(answer.document.body) if isinstance(answer, Fetched) else ""
        except FetchError as error:
            if not _means_none(error):
                stale = self._store.hosts.robots(host, since=now - _ROBOTS_STALE)
                if stale is not None and error.cause != "busy":
                    return stale
                raise _closed(url, error) from error
            text = ""
        self._store.hosts.keep_robots(host, text, now)
        return text


def _beginning(body: bytes) -> str:
    """As much of a robots.txt as is read (RFC 9309 §2.5 asks for 500 KiB), to the end of a line; NUL is no text in a database."""
    head = body if len(body) <= _ROBOTS_BYTES else body[:_ROBOTS_BYTES].rpartition(b"\n")[0]
    return head.decode("utf-8-sig", "ignore").replace("\0", "")


def _means_none(error: FetchError) -> bool:
    """Whether a failure says that there is no robots.txt."""
    if error.status is None:
        return error.cause == "redirects"
    return 400 <= error.status < 500 and error.status != 429


def _closed(url: str, error: FetchError) -> FetchError:
    """That a page is not asked for because of robots.txt; a host that is merely busy is to be waited for."""
    cause = "busy" if error.cause == "busy" else "robots"
    detail = f"is not asked for while robots.txt cannot be read: {error}"
    return FetchError(url, detail, cause=cause, retry_after=error.retry_after, postponed=True)


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
