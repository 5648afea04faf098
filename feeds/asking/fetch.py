"""The only way in: asks origins for documents, politely and with every danger bounded.

requests-cache remembers validators and bodies; below it an adapter of ours holds the ceilings (total time, bytes, complete
codings) and the guard vets every address that is connected to. It knows nothing of what documents mean, nor when to ask.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import requests
import structlog
import urllib3
from requests_cache import CachedSession
from requests_cache.backends.sqlite import SQLiteCache

from feeds import __version__
from feeds.asking.codings import ACCEPTED, UndecodableError
from feeds.asking.guard import Guard, OverdueError, RefusedError
from feeds.asking.transport import BoundedAdapter, CutOffError, TooLargeError, TooSlowError
from feeds.errors import FetchError
from feeds.model import Document
from feeds.operation import Fetching

log = structlog.get_logger(__name__)

MAX_REDIRECTS = 5
_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/html;q=0.8, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and the validators under which to ask for it again.

    ``moved_to`` is set when only permanent redirects (301, 308) led to it; ``max_age`` is how long the origin calls it fresh.
    """

    document: Document
    etag: str
    last_modified: str
    moved_to: str = ""
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The origin says that nothing changed since the validators that we hold."""

    moved_to: str = ""


class Fetcher:
    """Sessions towards origins, one per thread, over one cache file that may be lost at any time."""

    def __init__(self, settings: Fetching, *, cache: Path, own: Iterable[str] = ()) -> None:
        """``own`` are the URLs of the configuration: their hosts are permitted even where they name a private address."""
        self._settings = settings
        self._cache = cache
        self._guard = Guard.of(settings.allow_networks, own)
        self._local = threading.local()

    def get(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        """Ask for a document, conditionally where validators are given. Raises FetchError."""
        response = self._request(url, _conditions(etag, last_modified))
        *hops, (final, _) = self._session().get_adapter(url).trail
        for_good = all(status in (301, 308) for _, status in hops)
        moved_to = final if hops and for_good else ""
        conditional = bool(etag or last_modified)
        if conditional and (response.status_code == 304 or (_revalidated(response) and _same(response, etag, last_modified))):
            return NotModified(moved_to)
        if response.status_code != 200:
            raise _status_error(url, response, for_good=for_good)
        content_type = response.headers.get("Content-Type", "")
        document = Document(final, response.content, _media_type(content_type), _charset(content_type), _links(response, final))
        return Fetched(
            document,
            response.headers.get("ETag", ""),
            response.headers.get("Last-Modified", ""),
            moved_to=moved_to,
            max_age=_max_age(response.headers.get("Cache-Control", "")),
        )

    def prune(self, *, older_than: timedelta) -> None:
        """Forget cached documents that were not asked for in a long time."""
        with suppress(sqlite3.Error, OSError):
            self._session().cache.delete(older_than=older_than)

    def _request(self, url: str, conditions: dict[str, str]) -> requests.Response:
        timeout = self._settings.timeout.total_seconds()
        try:
            session = self._session()
            session.get_adapter(url).begin(time.monotonic() + timeout)
            return cast("requests.Response", session.get(url, headers=conditions))
        except sqlite3.Error as error:  # the cache is disposable: without it the request is merely unconditional
            log.warning("cache.lost", file=str(self._cache), error=str(error))
            self._forget_cache()
            return self._request_uncached(url, conditions)
        except Exception as error:
            raise _translated(url, error, self._settings) from error

    def _request_uncached(self, url: str, conditions: dict[str, str]) -> requests.Response:
        session = self._session()
        session.get_adapter(url).begin(time.monotonic() + self._settings.timeout.total_seconds())
        try:
            with session.cache_disabled():
                return cast("requests.Response", session.get(url, headers=conditions))
        except Exception as error:
            raise _translated(url, error, self._settings) from error

    def _session(self) -> Any:
        if not hasattr(self._local, "session"):
            self._local.session = self._new_session()
        return self._local.session

    def _new_session(self) -> CachedSession:
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        session = CachedSession(
            backend=SQLiteCache(str(self._cache), serializer="json", busy_timeout=5000, wal=True),
            expire_after=0,
            always_revalidate=True,
            cache_control=False,
            stale_if_error=False,
            allowable_codes=(200,),
            key_fn=_key,
        )
        session.trust_env = False
        session.max_redirects = MAX_REDIRECTS
        session.cookies.set_policy(_NoCookies())
        session.headers.update({"User-Agent": _user_agent(self._settings), "Accept": _ACCEPT, "Accept-Encoding": ACCEPTED})
        adapter = BoundedAdapter(self._guard, max_bytes=self._settings.max_bytes)
        session.adapters.clear()
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def _forget_cache(self) -> None:
        if hasattr(self._local, "session"):
            self._local.session.close()
            del self._local.session
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._cache.with_name(self._cache.name + suffix).unlink()


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[name-defined,misc]
    def set_ok(self, *_: Any) -> bool:
        return False


def _key(request: Any = None, **_: Any) -> str:
    """requests-cache's own key merges URLs that differ in slashes and secrets; this one is the URL, exactly."""
    return hashlib.sha256(f"{request.method} {request.url}".encode()).hexdigest()


def _conditions(etag: str, last_modified: str) -> dict[str, str]:
    conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in conditions.items() if value}


def _revalidated(response: requests.Response) -> bool:
    return bool(getattr(response, "from_cache", False))


def _same(response: requests.Response, etag: str, last_modified: str) -> bool:
    """Whether the cached body is the one that these validators stand for.

    It is not when a refresh died between fetching and saving: then what the cache holds is news.
    """
    if etag:
        return response.headers.get("ETag", "") == etag
    return bool(last_modified) and response.headers.get("Last-Modified", "") == last_modified


def _status_error(url: str, response: requests.Response, *, for_good: bool) -> FetchError:
    """``for_good``: no temporary redirect led to the answer, so that a 410 is about this very URL."""
    status = response.status_code
    reasons = {401: "wants a password", 403: "refuses us", 404: "does not exist", 410: "is gone for good", 429: "asks us to wait"}
    reasons |= {500: "is out of order", 502: "is out of order", 503: "is out of service for now", 504: "is out of order"}
    reasons[304] = "was asked unconditionally"
    detail = f"answered {status}" + (f": it {reasons[status]}" if status in reasons else "")
    return FetchError(
        url,
        detail,
        cause="status",
        status=status,
        retry_after=_retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC)),
        permanent=status == 410 and for_good,
    )


def _retry_after(value: str, now: datetime) -> timedelta | None:
    """Retry-After in either form (RFC 9110 §10.2.3)."""
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value), 10**9))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))


_CAUSES: tuple[tuple[type[BaseException], str, Callable[[BaseException, Fetching], str]], ...] = (
    (RefusedError, "refused", lambda error, _: str(error)),
    (urllib3.exceptions.NewConnectionError, "connection", lambda error, _: f"cannot be reached: {_reason(error)}"),
    (TooLargeError, "too-large", lambda error, settings: str(error) or f"is larger than fetch.max_bytes = {settings.max_bytes}"),
    (OverdueError, "timeout", lambda _, settings: f"took longer than fetch.timeout = {settings.timeout.total_seconds():g}s"),
    (TooSlowError, "timeout", lambda _, settings: f"took longer than fetch.timeout = {settings.timeout.total_seconds():g}s"),
    (CutOffError, "truncated", lambda error, _: str(error)),
    (UndecodableError, "encoding", lambda error, _: str(error)),
    (requests.TooManyRedirects, "redirects", lambda *_: f"redirects more than {MAX_REDIRECTS} times"),
    (requests.exceptions.InvalidSchema, "refused", lambda *_: "leads to something that is neither http nor https"),
    (requests.Timeout, "timeout", lambda _, settings: f"took longer than fetch.timeout = {settings.timeout.total_seconds():g}s"),
    (urllib3.exceptions.TimeoutError, "timeout", lambda _, settings: f"took longer than {settings.timeout.total_seconds():g}s"),
    (IncompleteRead, "truncated", lambda *_: "broke off before its end"),
    (urllib3.exceptions.ProtocolError, "truncated", lambda error, _: f"broke off: {_told(error)}"),
    (ValueError, "refused", lambda error, _: f"leads to no valid URL: {error}"),
)


def _translated(url: str, error: Exception, settings: Fetching) -> FetchError:
    """Any failure below as a FetchError with its cause: the first known one in the chain of causes."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 20:
        chain.append(link)
        chain += [argument for argument in link.args if isinstance(argument, BaseException)]
        reason = getattr(link, "reason", None)
        if isinstance(reason, BaseException):
            chain.append(reason)
        link = link.__cause__ or link.__context__
    for kind, cause, describe in _CAUSES:
        for found in chain:
            if isinstance(found, kind):
                return FetchError(url, describe(found, settings), cause=cause)
    return FetchError(url, f"cannot be reached: {_reason(chain[-1])}", cause="connection")


def _reason(error: BaseException) -> str:
    """The system's own words for what went wrong."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    return str(error) or type(error).__name__


def _told(error: BaseException) -> str:
    """What a library said of an answer that broke off, on one line and without the shape of its tuples."""
    *_, last = error.args or (error,)
    return " ".join((_reason(last) if isinstance(last, BaseException) else str(last)).split())[:200]


def _user_agent(settings: Fetching) -> str:
    contact = f" (+{settings.contact})" if settings.contact else ""
    return f"topicfeeds/{__version__}{contact}"


def _links(response: requests.Response, url: str) -> tuple[tuple[str, str], ...]:
    """The Link header (RFC 8288) as pairs of relation and absolute URL."""
    parsed = requests.utils.parse_header_links(response.headers.get("Link", ""))
    return tuple((link.get("rel", ""), urljoin(url, link["url"])) for link in parsed if link.get("url"))


def _max_age(cache_control: str) -> timedelta | None:
    found = re.search(r"(?:^|[\s,])max-age=(\d{1,9})", cache_control.lower())
    return timedelta(seconds=int(found[1])) if found else None


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _charset(content_type: str) -> str:
    _, found, charset = content_type.lower().partition("charset=")
    return charset.split(";")[0].strip(" \"'") if found else ""
