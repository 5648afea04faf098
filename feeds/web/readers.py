"""For feed readers: the topics' feeds."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, Response

from feeds.formats import FORMATS
from feeds.shelf import Shelf
from feeds.web.errors import not_found, not_yet
from feeds.web.serving import from_shelf


def blueprint(shelf: Shelf, slugs: Collection[str]) -> Blueprint:
    """``slugs`` are the topics of the configuration, which exist even before they are first published."""
    readers = Blueprint("readers", __name__)

    @readers.get("/feeds/<slug>.<suffix>")
    def feed(slug: str, suffix: str) -> Response:
        if found := from_shelf(shelf, f"/feeds/{slug}.{suffix}"):
            return found
        if suffix not in FORMATS:
            return not_found(f"There is no feed format '{suffix}'; there are: {', '.join(FORMATS)}.")
        return not_yet() if slug in slugs else not_found(f"There is no topic '{slug}'. All topics: /api/topics.json")

    return readers
