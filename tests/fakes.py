"""Real code that stands in for the world: an HTTP origin that can misbehave, and a clock that can be set."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape, quoteattr

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
LONGEST = 10.0
"""Seconds after which even a hanging answer ends, so that no thread outlives the tests."""


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


class Names:
    """A name server in place of ``socket.getaddrinfo``: ``answers`` has each name's answers in turn, the last one for good.

    Any other name must be an address or ``localhost``; it is looked up in earnest, which asks no server.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._resolve = socket.getaddrinfo

    def __call__(self, host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host not in self.answers:
            return self._resolve(host, port, *args, **options)
        self.asked.append(host)
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [info for address in addresses for info in self._resolve(address, port, *args, **options)]


@dataclass(frozen=True)
class Page:
    """An answer. With ``ETag`` or ``Last-Modified`` among its headers it is revalidated, unless ``conditional`` is off."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    conditional: bool = True

    def __call__(self, exchange: Exchange) -> None:
        if self.conditional and self._is_current(exchange.headers):
            exchange.reply(304, self.headers)
        else:
            exchange.reply(self.status, {"Content-Length": str(len(self.body)), **self.headers}, self.body)

    def _is_current(self, asked: HTTPMessage) -> bool:
        if "If-None-Match" in asked:
            return asked["If-None-Match"] == self.headers.get("ETag")
        return "If-Modified-Since" in asked and asked["If-Modified-Since"] == self.headers.get("Last-Modified")


@dataclass
class Request:
    """A request as it came in, and the status that it was answered with (0: none yet)."""

    method: str
    path: str
    headers: HTTPMessage
    status: int = 0


class Origin(ThreadingHTTPServer):
    """An HTTP server on a loopback port. ``pages`` maps a path to its answer, ``requests`` is what was asked so far."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, Exchange)
        self.url = f"http://{address[0]}:{self.server_address[1]}"
        self.pages: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, path: str, body: bytes | str, **headers: str) -> None:
        """Serve a page; ``etag='"1"'`` gives the header ``ETag``, ``content_type`` gives ``Content-Type``."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        if "Etag" in named:
            named["ETag"] = named.pop("Etag")
        self.pages[path] = Page(body.encode() if isinstance(body, str) else body, headers=named)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def statuses(self, path: str) -> list[int]:
        return [request.status for request in self.asked(path)]

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class Exchange(BaseHTTPRequestHandler):
    """One connection. What answers calls ``reply``, or writes to ``wfile`` what no sane server would."""

    server: Origin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.request_seen = Request(self.command, self.path, self.headers)
        self.server.requests.append(self.request_seen)
        self.server.pages.get(self.path, Page(b"There is no such page.", 404))(self)

    do_HEAD = do_GET  # noqa: N815  (the name that http.server looks for)

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.request_seen.status = status
        self.send_response(status)
        for name, value in headers.items():
            if status != 304 or name.lower() not in ("content-length", "content-type"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


Answer = Callable[[Exchange], None]

# -- answers that go wrong -----------------------------------------------------------------------------------------


def truncated(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.reply(200, {"Content-Length": "1000", "Content-Type": "application/xml"}, b"<rss><channel>")


def cut_chunked(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.reply(200, {"Transfer-Encoding": "chunked"}, b"5\r\n<rss>\r\n40\r\n<channel>")


def cut_gzip(exchange: Exchange) -> None:
    whole = gzip.compress(bytes(range(256)) * 40)
    Page(whole[: len(whole) // 2], headers={"Content-Encoding": "gzip"})(exchange)


def gzip_bomb(exchange: Exchange) -> None:
    Page(gzip.compress(bytes(64 << 20), 1), headers={"Content-Encoding": "gzip"})(exchange)


def huge(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.reply(200, {"Content-Type": "application/xml"})
    for _ in range(1024):
        exchange.wfile.write(bytes(65536))


def drip(exchange: Exchange) -> None:
    exchange.reply(200, {"Content-Length": "100000"})
    _one_by_one(exchange, b"x" * 100_000)


def drip_headers(exchange: Exchange) -> None:
    _one_by_one(exchange, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: " + b"x" * 60_000 + b"\r\n\r\n")


def hang(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.server.closing.wait(LONGEST)


def reset(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def no_http(exchange: Exchange) -> None:
    exchange.close_connection = True
    exchange.wfile.write(b"220 mail.example ESMTP\r\n")


def redirect(to: str, status: int = 302) -> Page:
    return Page(status=status, headers={"Location": to})


def refusal(status: int, **headers: str) -> Page:
    return Page(b"No.", status, {name.replace("_", "-"): value for name, value in headers.items()})


def forward(port: int) -> Answer:
    """Pass requests on to a server of this machine, so that what it answers can be seen in ``requests``."""

    def answer(exchange: Exchange) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest(exchange.command, exchange.path, skip_accept_encoding=True)
        for name, value in exchange.headers.items():
            if name.lower() not in ("host", "connection"):
                connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        exchange.reply(response.status, dict(response.getheaders()), response.read())
        connection.close()

    return answer


def _one_by_one(exchange: Exchange, data: bytes) -> None:
    exchange.close_connection = True
    end = time.monotonic() + LONGEST
    for byte in data:
        if time.monotonic() > end or exchange.server.closing.wait(0.05):
            return
        exchange.wfile.write(bytes([byte]))


# -- a blog --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """An item of the blog's feed. ``path`` is below the origin; ``guid`` is the URL where none is given."""

    path: str
    title: str
    text: str = "Some words."
    published: datetime = NOW - timedelta(days=1)
    guid: str = ""
    tags: tuple[str, ...] = ()


BLOG = (
    Item("/blog/channels/", "chan<- T & <select>", "A goroutine sends.", NOW - timedelta(days=3), tags=("Go",)),
    Item("/blog/raft/", "Raft reads", "A quorum of nodes & a <b>lease</b>.", NOW - timedelta(days=2)),
    Item("/blog/diary/", "On holiday", "Nothing to see.", NOW - timedelta(days=1)),
)
"""Three posts: one in each topic of the tests' configuration, one in none."""


def rss(base: str, *items: Item) -> str:
    """The feed of a blog at ``base``, as a static-site generator writes it."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel><title>Blog</title>'
        f"<link>{base}/</link><description>A blog</description>{''.join(_item(base, item) for item in items)}</channel></rss>"
    )


def _item(base: str, item: Item) -> str:
    url = item.path if "://" in item.path else base + item.path
    tags = "".join(f"<category>{escape(tag)}</category>" for tag in item.tags)
    return (
        f"<item><title>{escape(item.title)}</title><link>{escape(url)}</link><guid>{escape(item.guid or url)}</guid>{tags}"
        f"<pubDate>{format_datetime(item.published)}</pubDate><description>{escape(f'<p>{item.text}</p>')}</description></item>"
    )


def html(title: str, *tags: str) -> str:
    """A post's own page."""
    metas = "".join(f'<meta property="article:tag" content={quoteattr(tag)}>' for tag in tags)
    name = escape(title)
    return f'<!doctype html><html lang="en"><head><title>{name}</title>{metas}</head><body><h1>{name}</h1></body></html>'
