"""What a poll costs in process: a hit on the shelf by the wrapper, against a standard Flask view of the same feed.

Both answer the same request within one interpreter, in turns, so that the ratio holds on a noisy machine. Run by ``make bench``.
"""

from __future__ import annotations

import statistics
import timeit
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from flask import Flask, Response, make_response, request

from feeds.configuration import Compression
from feeds.publishing.compression import encode
from feeds.serving.representation import Representation, build
from feeds.web.serving import ShelfFirst

PATH = "/feeds/a.atom"
MODIFIED = datetime(2026, 1, 2, tzinfo=UTC)
BODY = b"<feed>" + b"".join(b"<entry>%d: a post, and what it says</entry>" % (n * n) for n in range(1500)) + b"</feed>"
ROUNDS, HITS, VIEWS = 15, 20_000, 400


class Compared(NamedTuple):
    """Seconds of a hit, and of a standard view."""

    hit: float
    view: float


def main() -> None:
    """Print the time of a hit and of a view, and their ratio, for a 304 and a compressed 200."""
    print(f"{len(BODY):,} bytes, medians of {ROUNDS} rounds in turns")
    for name, found in compare().items():
        times = f"hit {found.hit * 1e6:6.2f} µs   standard view {found.view * 1e6:7.1f} µs"
        print(f"{name:9} {times}   {found.view / found.hit:5.0f} times cheaper")


def compare() -> dict[str, Compared]:
    """Both, for a 304 and a compressed 200."""
    representation = build(PATH, encode(BODY, Compression()), media_type="application/atom+xml", last_modified=MODIFIED, headers=[])
    tag = representation.variants["gzip"].etag
    asked = {"304": {"HTTP_IF_NONE_MATCH": tag}, "200 gzip": {}}
    wrapped, viewed = _wrapped(representation), _viewed(representation)
    return {
        name: Compared(*_in_turns(wrapped, viewed, _environ(HTTP_ACCEPT_ENCODING="gzip", **headers)))
        for name, headers in asked.items()
    }


def _in_turns(hit: Callable[..., Any], view: Callable[..., Any], environ: dict[str, Any]) -> tuple[float, float]:
    """Median seconds per request of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        times[0].append(timeit.timeit(lambda: hit(environ, _start), number=HITS) / HITS)
        times[1].append(timeit.timeit(lambda: _drained(view(dict(environ), _start)), number=VIEWS) / VIEWS)
    return statistics.median(times[0]), statistics.median(times[1])


def _wrapped(representation: Representation) -> ShelfFirst:
    shelf = SimpleNamespace(paths={PATH: representation})
    return ShelfFirst(lambda *_: [], shelf, deque(maxlen=1000).append)  # type: ignore[arg-type]


def _viewed(representation: Representation) -> Flask:
    """The view as one writes it: a response, its validators, and Werkzeug's own conditional answer."""
    app = Flask(__name__)
    variant = representation.variants["gzip"]

    @app.get("/feeds/<slug>.atom")
    def feed(slug: str) -> Response:  # noqa: ARG001
        response = make_response(variant.ok.body)
        response.mimetype = "application/atom+xml"
        response.headers["Content-Encoding"] = "gzip"
        response.last_modified = MODIFIED
        response.set_etag(variant.etag.strip('"'))
        response.vary.add("Accept-Encoding")
        return response.make_conditional(request.environ)

    return app


def _environ(**headers: str) -> dict[str, Any]:
    server = {"SERVER_NAME": "localhost", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http"}
    return {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": PATH, "QUERY_STRING": "", **server, **headers}


def _start(*_: Any) -> None:
    return None


def _drained(body: Iterable[bytes]) -> None:
    for _ in body:
        pass


if __name__ == "__main__":
    main()
