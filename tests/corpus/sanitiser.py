"""feedparser's sanitiser cases and a hostile feed: nothing that could run is in anything that is published of them."""

from datetime import UTC
from pathlib import Path

from feeds.errors import ParseError
from feeds.sources import parse
from tests.corpus.feedparser_cases import SOURCE, Document
from tests.executable import found_in


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """A row: cases of which nothing could run."""
    folder = corpus / "feed-cases" / "feedparser"
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    misses = [f"{file.relative_to(folder)}: {found}" for file in files for found in _found(file)[:1]]
    return [("nothing runs: feedparser's cases", len(files) - len(misses), len(files), misses)] if files else []


def _found(file: Path) -> list[str]:
    try:
        drafts = parse(SOURCE, Document(SOURCE.url, file.read_bytes(), "application/xml"), zone=UTC).drafts
    except ParseError:
        return []
    return found_in(drafts)
