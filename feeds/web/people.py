"""For people: the directory of topics and a page per topic."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, Response

from feeds.shelf import Shelf
from feeds.web.errors import not_found, not_yet
from feeds.web.serving import from_shelf


def blueprint(shelf: Shelf, slugs: Collection[str]) -> Blueprint:
    """``slugs`` are the topics of the configuration."""
    people = Blueprint("people", __name__)

    @people.get("/")
    def index() -> Response:
        return from_shelf(shelf, "/") or not_yet()

    @people.get("/topics/<slug>/")
    def topic(slug: str) -> Response:
        if found := from_shelf(shelf, f"/topics/{slug}/"):
            return found
        return not_yet() if slug in slugs else not_found(f"There is no topic '{slug}'. All topics: /")

    return people
