"""Takes requests from Granian: hits on the shelf are answered by the thread that takes all of them, the rest by threads beside it.

Granian's own way makes a WSGI environment and a list of chunks of every request, and gives requests to whichever of many threads
is first to wake up. A hit needs neither, and waits here neither for a page that is being made nor for a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from feeds.web.serving import Environ, ShelfFirst

log = structlog.get_logger(__name__)


class Direct:
    """Called by Granian with an object to answer by, once and from any thread, and the request as a WSGI environment has it.

    ``ordinary`` is Granian's own way to a WSGI application, and is used by ``threads`` threads.
    """

    def __init__(self, shelf_first: ShelfFirst, ordinary: Callable[[Any, Environ], Any], *, threads: int) -> None:
        self._hit = shelf_first.hit
        self._ordinary = ordinary
        self._submit = ThreadPoolExecutor(threads, thread_name_prefix="answer").submit
        self._codes = _Codes()

    def __call__(self, protocol: Any, request: Environ) -> None:
        """Answer one request, or see to it that it will be."""
        answered = self._hit(request)
        if answered is None:
            self._submit(self._answer, protocol, request)
        else:
            status, headers, body = answered
            protocol.response_bytes(self._codes[status], headers, bytes(body))

    def _answer(self, protocol: Any, request: Environ) -> None:
        """A protocol object that is let go of without an answer is answered with a 500 by Granian."""
        try:
            self._ordinary(protocol, request)
        except Exception:
            log.exception("web.crashed", path=request.get("PATH_INFO"))


class _Codes(dict[str, int]):
    """Status line -> its number."""

    def __missing__(self, status: str) -> int:
        code = self[status] = int(status[:3])
        return code
