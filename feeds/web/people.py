"""For people: the directory of topics and a page per topic."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, Response

from feeds.shelf import Shelf
from feeds.web.errors import not_found, not_yet, plain
from feeds.web.serving import from_shelf


def blueprint(shelf: Shelf, slugs: Collection[str], *, public_url: str) -> Blueprint:
    """``slugs`` are the topics of the configuration; redirects lead to ``public_url``, whatever the Host header says."""
    people = Blueprint("people", __name__)

    @people.get("/")
    def index() -> Response:
        return from_shelf(shelf, "/") or not_yet()

    @people.get("/feeds.css")
    def stylesheet() -> Response:
        return from_shelf(shelf, "/feeds.css") or not_yet()

    @people.get("/topics/<slug>")
    def without_slash(slug: str) -> Response:
        response = plain(301, f"The topic's page is {public_url}topics/{slug}/")
        response.headers["Location"] = f"{public_url}topics/{slug}/"
        return response if slug in slugs else not_found(f"There is no topic '{slug}'. All topics: /")

    @people.get("/topics/<slug>/")
    def topic(slug: str) -> Response:
        if found := from_shelf(shelf, f"/topics/{slug}/"):
            return found
        return not_yet() if slug in slugs else not_found(f"There is no topic '{slug}'. All topics: /")

    return people
