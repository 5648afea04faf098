"""What a poll costs in process: a hit on the shelf, from the bytes of a head to those of its answer, against a standard Flask view.

Both answer the same request within one interpreter, in turns, so that the ratio holds on a noisy machine; both are counted. A head
that was asked before within the second is looked up, one that was not is read. Run by ``make bench``.
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
from feeds.front.heads import read_request
from feeds.front.hits import Hits
from feeds.publishing.compression import encode
from feeds.serving.representation import Representation, build

PATH = "/feeds/a.atom"
MODIFIED = datetime(2026, 1, 2, tzinfo=UTC)
BODY = b"<feed>" + b"".join(b"<entry>%d: a post, and what it says</entry>" % (n * n) for n in range(1500)) + b"</feed>"
ROUNDS, HITS, VIEWS = 15, 20_000, 400


class Compared(NamedTuple):
    """Seconds of a hit on a head that was answered before, of one on a head that was not, and of a standard view."""

    hit: float
    first: float
    view: float


def main() -> None:
    """Print the times, and how many times cheaper than the view a hit is, for a 304 and a compressed 200."""
    print(f"{len(BODY):,} bytes, medians of {ROUNDS} rounds in turns")
    for name, found in compare().items():
        hit, first, view = (seconds * 1e6 for seconds in found)
        times = f"hit {hit:5.2f} µs, of a head that is new {first:5.2f} µs, standard view {view:6.1f} µs"
        print(f"{name:9} {times}: {view / hit:4.0f} and {view / first:3.0f} times cheaper")


def compare() -> dict[str, Compared]:
    """All three, for a 304 and a compressed 200."""
    representation = build(PATH, encode(BODY, Compression()), media_type="application/atom+xml", last_modified=MODIFIED, headers=[])
    tag = representation.variants["gzip"].etag
    asked = {"304": {"If-None-Match": tag}, "200 gzip": {}}
    return {name: _compared(representation, {"Accept-Encoding": "gzip", **fields}) for name, fields in asked.items()}


def _compared(representation: Representation, fields: dict[str, str]) -> Compared:
    """Median seconds per request of each."""
    lines = [f"GET {PATH} HTTP/1.1", "Host: feeds.example", "User-Agent: Reader/1.0", *(f"{n}: {v}" for n, v in fields.items())]
    head = "\r\n".join([*lines, "", ""]).encode()
    environ = _environ(**{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in fields.items()})
    hit, forget, view = *_hit(representation), _viewed(representation)

    def first() -> None:
        forget()
        hit(head)

    calls = ((lambda: hit(head), HITS), (first, HITS), (lambda: _drained(view(dict(environ), _start)), VIEWS))
    rounds = [[timeit.timeit(call, number=number) / number for call, number in calls] for _ in range(ROUNDS)]
    return Compared(*(statistics.median(times) for times in zip(*rounds, strict=True)))


def _hit(representation: Representation) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    """What a connection does with a head that it has read, but for writing the answer; and what forgets all answers."""
    hits = Hits(SimpleNamespace(find=lambda path, _query: {PATH: representation}[path]))  # type: ignore[arg-type]
    hits.look_up()
    record = deque(maxlen=1000).append

    def hit(head: bytes) -> None:
        reply = hits.remembered.get(head)
        if reply is None and (read := read_request(head)) is not None:
            reply = hits.reply(head, read)
        assert reply is not None
        record((*reply.told, "192.0.2.1"))

    return hit, hits.forget


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
