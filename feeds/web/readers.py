"""For feed readers: the topics' feeds and their archives."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, Response

from feeds.formats import FORMATS
from feeds.shelf import Shelf
from feeds.web.archives import Archives
from feeds.web.errors import not_found, not_yet
from feeds.web.serving import from_shelf


def blueprint(shelf: Shelf, archives: Archives, slugs: Collection[str]) -> Blueprint:
    """``slugs`` are the topics of the configuration, which exist even before they are first published."""
    readers = Blueprint("readers", __name__)

    @readers.get("/feeds/<slug>.<suffix>")
    def feed(slug: str, suffix: str) -> Response:
        if found := from_shelf(shelf, f"/feeds/{slug}.{suffix}"):
            return found
        if suffix not in FORMATS:
            return not_found(f"There is no feed format '{suffix}'; there are: {', '.join(FORMATS)}.")
        return not_yet() if slug in slugs else not_found(f"There is no topic '{slug}'. All topics: /api/topics.json")

    @readers.get("/feeds/<slug>/archive/<int:number>.<suffix>")
    def archive(slug: str, number: int, suffix: str) -> Response:
        if suffix in FORMATS and (found := archives.answer(slug, number, suffix)):
            return found
        return not_found(f"There is no such archive document; the topic's feeds lead to all there are: /feeds/{slug}.atom")

    return readers
