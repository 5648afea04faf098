"""For feed readers: the topics' feeds with their archives, and the feeds of topics combined."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from feeds.combinations import Combinations
from feeds.errors import BusyError, SelectionError
from feeds.formats import FORMATS
from feeds.lifecycle import Addresses
from feeds.selection import Selection, parse, resolve
from feeds.shelf import Shelf
from feeds.web.archives import Archives
from feeds.web.errors import busy, not_found, not_yet, plain
from feeds.web.serving import from_shelf, respond


def blueprint(
    shelf: Shelf, archives: Archives, combinations: Combinations, addresses: Callable[[], Addresses], *, public_url: str
) -> Blueprint:
    """``addresses`` says where slugs stand at present; redirects lead to ``public_url``, whatever the Host header says."""
    readers = Blueprint("readers", __name__)

    @readers.get("/feeds/<written>.<suffix>")
    def feed(written: str, suffix: str) -> Response:
        if found := from_shelf(shelf, f"/feeds/{written}.{suffix}"):
            return found
        if suffix not in FORMATS:
            return not_found(f"There is no feed format '{suffix}'; there are: {', '.join(FORMATS)}.")
        try:
            known = addresses()
            selection = resolve(parse(written), known.current, aliases=known.aliases, retired=known.gone)
        except SelectionError as error:
            return plain(410 if error.retired else 404, str(error))
        if str(selection) != written:
            return _moved(f"{public_url}feeds/{selection}.{suffix}")
        if not shelf.paths or not selection.is_combination:
            return not_yet()
        return _combined(combinations, selection, suffix)

    @readers.get("/feeds/<slug>/archive/<int:number>.<suffix>")
    def archive(slug: str, number: int, suffix: str) -> Response:
        if suffix in FORMATS and (found := archives.answer(slug, number, suffix)):
            return found
        return not_found(f"There is no such archive document; the topic's feeds lead to all there are: /feeds/{slug}.atom")

    return readers


def _combined(combinations: Combinations, selection: Selection, suffix: str) -> Response:
    try:
        return respond(combinations.find(selection, suffix))
    except BusyError:
        return busy(f"The combination {selection} cannot be made at this moment. Please try again.")


def _moved(address: str) -> Response:
    response = plain(301, f"The feed is {address}")
    response.headers["Location"] = address
    return response
