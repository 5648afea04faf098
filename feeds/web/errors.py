"""Answers that are no success: one line of text that says what is wrong, never stored by a cache."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from feeds.web.serving import names_one_host


def not_found(message: str) -> Response:
    """404: there is no such thing."""
    return plain(404, message)


def not_yet() -> Response:
    """503: it exists, but nothing has been published yet."""
    response = plain(503, "Nothing has been published yet. Is the refreshing process running, or was 'topicfeeds refresh' called?")
    response.headers["Retry-After"] = "5"
    return response


def busy(message: str) -> Response:
    """503: it exists, but cannot be made at this moment."""
    response = plain(503, message)
    response.headers["Retry-After"] = "5"
    return response


def plain(status: int, message: str) -> Response:
    """Any status as text."""
    response = Response(f"{message}\n", status=status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def register(app: Flask) -> None:
    """Give every HTTP error of Flask this form, keeping headers such as Allow; refuse requests that name no host, or several."""

    @app.before_request
    def _one_host() -> Response | None:
        return None if names_one_host(request.environ) else plain(400, "A request names one host, in a Host field.")

    @app.errorhandler(HTTPException)
    def _error(error: HTTPException) -> Response:
        original = error.get_response()
        if error.code is not None and error.code < 400:
            return Response(original.get_data(), status=original.status, headers=original.headers)
        response = plain(error.code or 500, error.description or error.name)
        for name in ("Location", "Retry-After"):
            if value := original.headers.get(name):
                response.headers[name] = value
        if error.code == 405:
            response.headers["Allow"] = ", ".join(sorted(original.allow))
        return response
