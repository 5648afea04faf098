"""Answers requests for what is on the shelf: as a WSGI wrapper in front of Flask, and for Flask's own views, by one function.

Under ``topicfeeds web`` most of these never come here: the processes in front (``feeds.front``) answer them by the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Response, request
from werkzeug.datastructures import Headers

from feeds.addresses import is_host
from feeds.serving.recording import Recorded, address_of, told
from feeds.serving.representation import Answer, Representation, answer
from feeds.serving.shelf import Shelf

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

SAFE_METHODS = ("GET", "HEAD")


class ShelfFirst:
    """WSGI middleware: GET and HEAD of a path on the shelf are answered here, everything else by the application.

    ``record`` is given a ``Hit``, as a plain tuple, for each answer.
    """

    def __init__(self, application: Application, shelf: Shelf, record: Callable[[Recorded], None]) -> None:
        self._application = application
        self._shelf = shelf
        self._record = record

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request.

        A list, not a tuple: Granian sends a list as one piece, head and body in one write, and anything else by a channel.
        """
        answered = self._answer(environ)
        if answered is None:
            return self._application(environ, start_response)
        start_response(answered.status, answered.headers.copy())
        return [bytes(answered.body)] if answered.body else []

    def _answer(self, request: Environ) -> Answer | None:
        if request["REQUEST_METHOD"] not in SAFE_METHODS or not names_one_host(request):
            return None
        path = request["PATH_INFO"]
        representation = self._shelf.find(path, request.get("QUERY_STRING", ""))
        if representation is None:
            return None
        answered = answer_in_full_or_part(self._shelf, representation, request)
        self._record((*told(path, answered.status, len(answered.body), request), address_of(request)))
        return answered


class Last:
    """WSGI middleware that makes every answer the last on its connection while ``draining``, for a server that heeds that."""

    def __init__(self, application: Application, draining: Callable[[], bool]) -> None:
        self._application = application
        self._draining = draining

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._application(environ, partial(self._start, start_response) if self._draining() else start_response)

    @staticmethod
    def _start(start_response: StartResponse, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *more)


def names_one_host(request: Environ) -> bool:
    """Whether a request of HTTP/1.1 says for which host it is, as it must, and once (RFC 9112 §3.2)."""
    host = request.get("HTTP_HOST", "")
    return is_host(host) or (not host and request.get("SERVER_PROTOCOL") != "HTTP/1.1")


def answer_in_full_or_part(shelf: Shelf, representation: Representation, environ: Environ) -> Answer:
    """The answer to a GET or HEAD that may ask for a delta (RFC 3229)."""
    delta = shelf.deltas.answer(representation, environ) if "HTTP_A_IM" in environ else None
    return delta or answer(representation, environ["REQUEST_METHOD"], environ)


def from_shelf(shelf: Shelf, path: str) -> Response | None:
    """The same answer as a Flask response; None for a path that is not on the shelf."""
    representation = shelf.find(path, request.environ.get("QUERY_STRING", ""))
    if representation is None:
        return None
    return as_answered(answer_in_full_or_part(shelf, representation, request.environ))


def respond(representation: Representation) -> Response:
    """The answer to the present request as a Flask response."""
    return as_answered(answer(representation, request.method, request.environ))


class _AsAnswered(Response):
    """A response whose headers were decided when its representation was built: nothing is added, and a 304 loses none."""

    automatically_set_content_length = False

    def get_wsgi_headers(self, environ: Environ) -> Headers:  # noqa: ARG002  Werkzeug's interface
        """Called by Werkzeug, whose own would take Last-Modified from a 304."""
        return self.headers


def as_answered(answered: Answer) -> Response:
    """An answer as a response of Flask's, byte for byte."""
    response = _AsAnswered(bytes(answered.body), status=answered.status)
    response.headers = Headers(answered.headers)
    return response
