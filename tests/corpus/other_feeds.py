"""feedsmith's, reader's and trafilatura's cases: nothing crashes; titles, links, guids and dates as feedsmith's JSON has them."""

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

from feeds.errors import ParseError
from feeds.model import Document, Draft, Source
from feeds.sources import parse
from feeds.sources.dates import parse_date
from feeds.text import absolute, one_line, plain
from tests.corpus import differences

SOURCE = Source(id="corpus", url="https://corpus.example/feed")


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """A row for each corpus's crashes, and one for feedsmith's expectations."""
    rows = []
    for name in ("feedsmith", "reader", "trafilatura-resources"):
        folder = corpus / "feed-cases" / name
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        crashes = [f"{file.name}: {drafts!r}" for file in files if isinstance(drafts := _drafts(file), Exception)]
        rows.append((f"{name}: no crash", len(files) - len(crashes), len(files), crashes))
    compared = list(_compare(corpus / "feed-cases" / "feedsmith"))
    justified = differences.load("feedsmith")
    misses = [case for case, met in compared if not met and case.split(" ≠ ")[0] not in justified]
    return [*rows, ("feedsmith: entries", sum(met for _, met in compared), len(compared), misses)]


def _drafts(file: Path) -> tuple[Draft, ...] | Exception:
    try:
        return parse(SOURCE, Document(f"https://corpus.example/{file.name}", file.read_bytes()), zone=UTC).drafts
    except ParseError:
        return ()
    except Exception as error:  # noqa: BLE001  whatever is raised is the finding
        return error


def _compare(folder: Path) -> Iterator[tuple[str, bool]]:
    for file in sorted((folder / "feeds").rglob("*.xml")):
        expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        items = expected.get("items") or expected.get("entries") or []
        drafts = _drafts(file)
        for number, item in enumerate(items):
            draft = drafts[number] if isinstance(drafts, tuple) and number < len(drafts) else Draft()
            for field, wanted, found in _fields(item, draft):
                yield f"{file.name}/{number}/{field} ≠ {found!r}, wanted {wanted!r}", wanted == found


def _fields(item: dict[str, Any], draft: Draft) -> Iterator[tuple[str, object, object]]:
    """(field, wanted, found) for what both know."""
    if title := item.get("title"):
        yield "title", one_line(plain(title)), draft.title
    links = item.get("links") or []
    alternate = next((link["href"] for link in links if link.get("rel", "alternate") == "alternate" and "href" in link), None)
    if link := item.get("link") or alternate:
        yield "link", absolute(link, SOURCE.url), draft.url
    guid = (item.get("guid") or {}).get("value") or item.get("id")
    if guid:
        yield "guid", guid, draft.guid
    if date := item.get("pubDate") or item.get("published"):
        yield "published", parse_date(date, UTC), draft.published
    if categories := item.get("categories"):
        names = [one_line(c.get("label") or c.get("name") or c.get("term") or "") for c in categories]
        yield "categories", True, set(names) <= set(draft.tags)
