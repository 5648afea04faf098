"""Each case is a file in ``tests/data/<kind>/`` beside its ``<case>.expected.json``: to add a case, add the two files.

What is expected names everything that is not empty. ``document`` and ``zone`` say how the file reached the reader; both are
optional. ``error`` is part of the message with which the file must be refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feeds.errors import ParseError
from feeds.model import Document, Draft, Parsed
from feeds.sources import parse
from tests.builders import a_source

DATA = Path(__file__).parent / "data"
EXPECTED = ".expected.json"


def cases(kind: str) -> list[Any]:
    files = sorted(file for file in (DATA / kind).iterdir() if not file.name.endswith(EXPECTED))
    return [pytest.param(file, id=file.stem) for file in files]


def expected(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.with_name(file.stem + EXPECTED).read_text(encoding="utf-8")))


def document(file: Path, case: dict[str, Any], url: str) -> Document:
    return Document(**{"url": url, "body": file.read_bytes()} | case.get("document", {}))


def zone(case: dict[str, Any]) -> ZoneInfo:
    return ZoneInfo(case.get("zone", "UTC"))


def written(draft: Draft) -> dict[str, Any]:
    """A draft as it is written down: what is empty left out, times as ISO 8601."""
    return {name: _plain(value) for name, value in asdict(draft).items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: item for key, item in value.items() if item} if isinstance(value, dict) else value


def read(file: Path, case: dict[str, Any]) -> dict[str, Any]:
    try:
        parsed: Parsed = parse(a_source(), document(file, case, "https://blog.example/index.xml"), zone=zone(case))
    except ParseError as error:
        return {"error": str(error)}
    return {
        "drafts": [written(draft) for draft in parsed.drafts],
        "set_aside": [{"key": item.key, "title": item.title, "reason": item.reason} for item in parsed.set_aside],
    }


@pytest.mark.parametrize("file", cases("feed"))
def test_a_feed_is_read_as_expected(file: Path) -> None:
    case = expected(file)
    got = read(file, case)
    if "error" in case:
        assert case["error"] in got.get("error", f"nothing was refused: {got}")
        assert got["error"].startswith("https://blog.example/index.xml: ")
        return
    assert got == {"drafts": case["drafts"], "set_aside": case.get("set_aside", [])}


@pytest.mark.parametrize("file", cases("feed"))
def test_reading_a_feed_twice_gives_the_same(file: Path) -> None:
    case = expected(file)
    assert read(file, case) == read(file, case)


@pytest.mark.parametrize("kind", ["feed", "page"])
def test_every_expectation_belongs_to_a_file(kind: str) -> None:
    named = {file.name.removesuffix(EXPECTED) for file in (DATA / kind).glob(f"*{EXPECTED}")}
    assert named == {file.stem for file in (DATA / kind).iterdir() if not file.name.endswith(EXPECTED)}
