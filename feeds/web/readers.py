"""For feed readers: the topics' feeds with their archives, and the feeds of topics combined."""

from __future__ import annotations

from flask import Blueprint, Response

from feeds.addresses import archive_path, topic_of
from feeds.errors import BusyError, SelectionError
from feeds.formats import FORMATS
from feeds.serving.combinations import Combinations
from feeds.serving.shelf import Shelf
from feeds.topics.selection import Selection, parse, resolve
from feeds.web.archives import Archives
from feeds.web.errors import busy, not_found, not_yet, plain
from feeds.web.serving import from_shelf, respond
from feeds.web.topics import Topics


def blueprint(shelf: Shelf, archives: Archives, combinations: Combinations, topics: Topics) -> Blueprint:
    """The feeds on the shelf, their archives and combinations; ``topics`` knows where slugs stand at present."""
    readers = Blueprint("readers", __name__)

    @readers.get("/feeds/<written>.<suffix>")
    def feed(written: str, suffix: str) -> Response:
        if found := from_shelf(shelf, f"/feeds/{written}.{suffix}"):
            return found
        if suffix not in FORMATS:
            return not_found(f"There is no feed format '{suffix}'; there are: {', '.join(FORMATS)}.")
        if topic_of(written) in topics.addresses.standings:
            return topics.elsewhere_of_feed(written, suffix)
        return _selected(shelf, combinations, topics, written, suffix)

    @readers.get("/feeds/<slug>/archive/<int:number>.<suffix>")
    def archive(slug: str, number: int, suffix: str) -> Response:
        if slug not in topics.addresses.current:

            def there(other: str) -> str:
                """The document of the same number; a topic that took over another one may have fewer."""
                return archive_path(other, number, suffix) if archives.has(other, number, suffix) else f"/feeds/{other}.{suffix}"

            return topics.elsewhere(slug, there, listing="/api/topics.json")
        if suffix in FORMATS and (found := archives.answer(slug, number, suffix)):
            return found
        return not_found(f"There is no such archive document; the topic's feeds lead to all there are: /feeds/{slug}.atom")

    return readers


def _selected(shelf: Shelf, combinations: Combinations, topics: Topics, written: str, suffix: str) -> Response:
    """What is no slug: a combination at its one address, made on demand; every other way to write it leads there."""
    known = topics.addresses
    try:
        selection = resolve(parse(written), known.current, aliases=known.aliases, retired=known.gone)
    except SelectionError as error:
        return plain(410 if error.retired else 404, str(error))
    if str(selection) != written:
        return topics.moved(f"/feeds/{selection}.{suffix}")
    return _combined(combinations, selection, suffix) if len(shelf) and selection.is_combination else not_yet()


def _combined(combinations: Combinations, selection: Selection, suffix: str) -> Response:
    try:
        return respond(combinations.find(selection, suffix))
    except BusyError:
        return busy(f"The combination {selection} cannot be made at this moment. Please try again.")
