"""Tells caches in front of the service which topics have changed, once that is in service; the store remembers whom it still owes.

It is told by topic: a cache drops what it has under the topic's tag (``feeds.serving.headers``). Neither the clock nor a
publication waits for it, and a cache that cannot be told is told again later.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import requests
import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.errors import PurgeError
from feeds.operation import Purging
from feeds.running.notice import Notice
from feeds.serving.headers import tag_of
from feeds.serving.shelf import POLL
from feeds.store import Store

log = structlog.get_logger(__name__)

_SETTLE = 2 * POLL
"""Seconds after which every web worker serves what was published; a cache that asked earlier would keep what was before."""

_EVERY = 1.0
_PAUSE = 30.0
"""Seconds before a cache that could not be told is told again."""


def purge_pending(purging: Purging, store: Store, *, wait: Callable[[float], object] = time.sleep) -> int:
    """Tell the caches of every topic that changed since they were told; how many topics. Raises PurgeError at the first failure."""
    if not purging.wanted:
        return 0
    stale = store.stale()
    if stale:
        wait(_SETTLE)
    for slug, revision in stale.items():
        _purge(purging, tag_of(slug))
        with store.writing() as transaction:
            transaction.purged(slug, revision)
        log.info("purge", topic=slug)
    return len(stale)


def keep_purging(purging: Purging, store: Store, stop: Notice) -> None:
    """Tell the caches whenever something changed, until ``stop`` is set."""
    complaint = ""
    while not stop.is_set():
        pause = _EVERY
        try:
            purge_pending(purging, store, wait=stop.wait)
            complaint = ""
        except (PurgeError, SQLAlchemyError) as error:
            if str(error) != complaint:
                log.warning("purge.failed", error=str(getattr(error, "orig", None) or error))
            complaint, pause = str(error), _PAUSE
        stop.wait(pause)


def _purge(purging: Purging, tag: str) -> None:
    if purging.url:
        _request(purging, purging.url.replace("{tag}", tag))
    if purging.command:
        _run([part.replace("{tag}", tag) for part in purging.command], within=purging.timeout.total_seconds())


def _request(purging: Purging, url: str) -> None:
    seconds = purging.timeout.total_seconds()
    try:
        with requests.request(
            purging.method, url, headers=dict(purging.headers), timeout=seconds, allow_redirects=False, stream=True
        ) as response:
            status = response.status_code
    except requests.RequestException as error:
        raise PurgeError(f"{url}: {type(error).__name__}; see [purge] in the configuration") from None
    if not 200 <= status < 300:
        raise PurgeError(f"{url}: the cache answered {status}")


def _run(command: list[str], *, within: float) -> None:
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=within)  # noqa: S603  the owner's
    except subprocess.TimeoutExpired:
        raise PurgeError(f"{command[0]}: took longer than {within:g} s") from None
    except OSError as error:
        raise PurgeError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PurgeError(f"{command[0]}: ended with {done.returncode}" + (f": {said[-1]}" if said else ""))
