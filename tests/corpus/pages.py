"""Real pages of posts: title, day and author against the facts; 95 % of titles and 90 % of days are asked for."""

import json
import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

from feeds.model import Document, Draft, Page
from feeds.sources.page import read_page
from tests.corpus import differences

URL = "https://corpus.example/posts/page.html"


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """Rows for titles, days and authors, and one for pages that crash the reader."""
    folder = corpus / "html-posts"
    results: dict[str, list[tuple[bool, str]]] = {"title": [], "day": [], "author": []}
    for facts in sorted(folder.glob("*.facts.jsonl")):
        for field, met, miss in _compare(facts.with_name(facts.name.removesuffix(".facts.jsonl")), facts):
            results[field].append((met, miss))
    rows = [("pages: no crash", *_crashes(folder))]
    justified = differences.load("pages")
    for field, found in results.items():
        misses = [miss for met, miss in found if not met and f"{field} {miss.split(':')[0]}" not in justified]
        rows.append((f"pages: {field}", sum(met for met, _ in found), len(found), misses))
    return rows if rows[0][2] else []


def _crashes(folder: Path) -> tuple[int, int, list[str]]:
    files = sorted(folder.rglob("*.html"))
    crashes = []
    for file in files:
        try:
            _read(file, URL)
        except Exception as error:  # noqa: BLE001  whatever is raised is the finding
            crashes.append(f"{file.relative_to(folder)}: {error!r}")
    return len(files) - len(crashes), len(files), crashes


def _compare(folder: Path, facts: Path) -> Iterator[tuple[str, bool, str]]:
    for line in facts.read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        name = fact.get("html") or fact["file"]
        draft = _read(folder / name, fact.get("url") or URL)
        if fact.get("title"):
            yield "title", _same(draft.title, fact["title"]), f"{folder.name}/{name}: {fact['title']!r} ≠ {draft.title!r}"
        if day := (fact.get("date") or fact.get("publishedTime") or "")[:10]:
            yield "day", day in _days(draft), f"{folder.name}/{name}: {day} ≠ {draft.published} ({draft.published_raw!r})"
        if fact.get("byline"):
            names = [person.name for person in draft.authors]
            yield "author", _is_author(names, fact["byline"]), f"{folder.name}/{name}: {fact['byline']!r} ≠ {names}"


def _read(file: Path, url: str) -> Draft:
    return read_page(Document(url, file.read_bytes()), rules=Page(), zone=UTC)


def _same(found: str, wanted: str) -> bool:
    return re.sub(r"\s+", " ", wanted).strip() == found


def _days(draft: Draft) -> set[str]:
    """The day in UTC, and the day as the page writes it in its own zone."""
    return {f"{draft.published:%Y-%m-%d}", draft.published_raw[:10]} if draft.published else set()


def _is_author(names: list[str], byline: str) -> bool:
    """Whether every name stands in the byline, and nothing but a preposition or a date stands beside them."""
    wanted = re.sub(r"\s+", " ", byline).strip()
    return bool(names) and (", ".join(names) == wanted or re.sub(r"^By ", "", wanted) == ", ".join(names) or wanted in names)
