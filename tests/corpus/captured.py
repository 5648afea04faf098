"""Captured feeds: what is published of them against their facts: number of posts, first dates, first links."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from feeds.errors import ParseError
from feeds.model import Document, Draft, Source
from feeds.sources import parse

SOURCE = Source(id="corpus", url="https://corpus.example/feed")


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """One row per corpus of captured feeds."""
    rows = []
    for facts in sorted((corpus / "feed-captured").glob("*.facts.jsonl")):
        folder = facts.with_name(facts.name.removesuffix(".facts.jsonl"))
        compared = list(_compare(folder, facts))
        misses = [f"{name}: {wanted} ≠ {found}" for name, wanted, found in compared if wanted != found]
        rows.append((f"captured feeds: {folder.name}", len(compared) - len(misses), len(compared), misses))
    return rows


def _compare(folder: Path, facts: Path) -> Iterator[tuple[str, tuple[object, ...], tuple[object, ...]]]:
    """Per file its name, what the facts say, and what we found: (is a feed, posts, first dates, first links)."""
    for line in facts.read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        readable = fact["n_entries"] is not None
        dates, links = tuple(fact.get("first_dates") or ()), tuple(fact.get("first_links") or ())
        wanted = (readable, fact["n_entries"] or 0, dates, links if all(links) else ())
        try:
            drafts = _drafts(folder / fact["file"])
        except ParseError:
            yield fact["file"], (readable, 0, (), ()), (False, 0, (), ())
            continue
        found_dates = tuple(_written(draft.published) for draft in drafts[: len(dates)])
        yield fact["file"], wanted, (True, len(drafts), found_dates, tuple(draft.url for draft in drafts[: len(wanted[3])]))


def _drafts(file: Path) -> tuple[Draft, ...]:
    return parse(SOURCE, Document(f"https://corpus.example/{file.name}", file.read_bytes()), zone=UTC).drafts


def _written(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
