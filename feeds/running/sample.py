"""Serves the bundled sample blog on a loopback port, as a static host would: with validators, and under its own address."""

from __future__ import annotations

import hashlib
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLACEHOLDER = b"https://blog.example"
"""The origin that the files are written with; whoever serves them puts its own in its place."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class SampleBlog(ThreadingHTTPServer):
    """A running sample blog. ``origin`` is where it is, without a slash at the end."""

    daemon_threads = True

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.folder = folder.resolve()
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Serve from a thread, until the process ends or ``shutdown``."""
        threading.Thread(target=self.serve_forever, name="sample-blog", daemon=True).start()

    def read(self, path: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of a path, with the placeholder replaced; None where there is nothing."""
        file = (self.folder / unquote(path).lstrip("/")).resolve()
        if path.endswith("/"):
            file = file / "index.html"
        if self.folder not in file.parents or file.suffix not in _TYPES or not file.is_file():
            return None
        return _TYPES[file.suffix], file.read_bytes().replace(PLACEHOLDER, self.origin.encode())


class _Request(BaseHTTPRequestHandler):
    server: SampleBlog
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = self.server.read(urlsplit(self.path).path)
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, {"Content-Type": "text/plain"}, b"There is no such page.\n")
            return
        media_type, body = found
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(HTTPStatus.NOT_MODIFIED, {"ETag": etag}, b"")
        else:
            self._answer(HTTPStatus.OK, {"Content-Type": media_type, "ETag": etag}, body)

    do_HEAD = do_GET  # noqa: N815  the name is http.server's

    def log_message(self, *_: object) -> None:
        """Say nothing: the demo's own output is what matters."""

    def _answer(self, status: HTTPStatus, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
