"""Carries one request: an adapter of requests that reads whole answers, within a deadline and a size, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import reduce
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from feeds.asking.codings import decoder
from feeds.asking.guard import Guard, GuardedPoolManager, RefusedError, Watch

_READ = 65536
_CONNECT_TIMEOUT = 10.0
_MAX_HEADER_BYTES = 128 * 1024


class BoundedAdapter(HTTPAdapter):
    """Reads whole answers within a deadline and a size, decodes them itself, and connects only where the guard lets it."""

    def __init__(self, guard: Guard, *, max_bytes: int) -> None:
        self._guard = guard
        self._max_bytes = max_bytes
        self._watch = Watch()
        self.deadline = 0.0
        self.trail: list[tuple[str, int]] = []
        super().__init__(max_retries=0)

    def begin(self, deadline: float) -> None:
        """Start a request with all its redirects, to end by a time of ``time.monotonic``.

        ``trail`` then gathers the URLs that were really asked, with the status of each; what a cache remembers of redirects is old.
        """
        self.deadline = deadline
        self.trail = []

    def init_poolmanager(self, connections: int, maxsize: int, *_: Any, **options: Any) -> None:
        """Called by requests: every connection asks the guard."""
        self.poolmanager = GuardedPoolManager(self._guard, self._watch, num_pools=connections, maxsize=maxsize, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Called by requests: the whole answer, decoded, or an exception that says what was wrong with it."""
        if "@" in urlsplit(request.url or "").netloc:
            raise RefusedError("leads to an address with a user name in it")
        request.headers.pop("Cookie", None)  # requests keeps a jar of its own along redirects
        remaining = max(self.deadline - time.monotonic(), 0.001)
        options |= {"stream": True, "timeout": (min(_CONNECT_TIMEOUT, remaining), remaining)}
        with self._watch.until(self.deadline):
            response = super().send(request, **options)
            try:
                if sum(len(name) + len(value) for name, value in response.headers.items()) > _MAX_HEADER_BYTES:
                    raise TooLargeError(f"has headers larger than {_MAX_HEADER_BYTES} bytes")
                body = b"".join(self._decoded(response))
            finally:
                response.raw.close()
        self.trail.append((request.url or "", response.status_code))
        response._content = body  # noqa: SLF001  requests has no public way to hand a response its body
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
        return response

    def _decoded(self, response: requests.Response) -> Iterator[bytes]:
        """The body without its content codings, in pieces. Raises for what is too large, too slow or cut off."""
        decoders = [decoder(coding) for coding in reversed(_codings(response))]
        total = received = 0
        for raw in self._raw(response):
            received += len(raw)
            piece = reduce(lambda data, decode: decode(data, self._max_bytes - total + 1), decoders, raw)
            total += len(piece)
            if total > self._max_bytes:
                raise TooLargeError
            yield piece
        if any(not decode.complete for decode in decoders if received):
            raise CutOffError("its compressed body is cut off")

    def _raw(self, response: requests.Response) -> Iterator[bytes]:
        read = 0
        announced = response.headers.get("Content-Length", "")
        while piece := response.raw.read1(_READ, decode_content=False):
            read += len(piece)
            if time.monotonic() > self.deadline:
                raise TooSlowError
            yield piece
        if announced.isdecimal() and read != int(announced) and response.status_code == 200:
            raise CutOffError(f"{announced} bytes were announced and {read} came")


class TooLargeError(Exception):
    """An answer beyond the size that it may have; its text says so where it is not the body."""


class TooSlowError(Exception):
    """An answer that took longer than it may."""


class CutOffError(Exception):
    """An answer of which a part is missing."""


def _codings(response: requests.Response) -> list[str]:
    names = (name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(","))
    return [name for name in names if name and name != "identity"]
