"""For people: the directory of topics and a page per topic."""

from __future__ import annotations

from flask import Blueprint, Response

from feeds.serving.shelf import Shelf
from feeds.web.errors import not_yet
from feeds.web.serving import from_shelf
from feeds.web.topics import Topics


def blueprint(shelf: Shelf, topics: Topics) -> Blueprint:
    """``topics`` knows those that are elsewhere."""
    people = Blueprint("people", __name__)

    @people.get("/")
    def index() -> Response:
        return from_shelf(shelf, "/") or not_yet()

    @people.get("/feeds.css")
    def stylesheet() -> Response:
        return from_shelf(shelf, "/feeds.css") or not_yet()

    @people.get("/topics/<slug>")
    def without_slash(slug: str) -> Response:
        if slug not in topics.addresses.current:
            return topics.elsewhere(slug, _page, listing="/")
        return topics.moved(_page(slug))

    @people.get("/topics/<slug>/")
    def topic(slug: str) -> Response:
        return from_shelf(shelf, _page(slug)) or topics.elsewhere(slug, _page, listing="/")

    return people


def _page(slug: str) -> str:
    return f"/topics/{slug}/"
