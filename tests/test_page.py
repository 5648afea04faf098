"""Each case is a page in ``tests/data/page`` beside its ``<case>.expected.json``: ``rules`` and ``zone`` are optional."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feeds.model import Document, Draft, Page
from feeds.sources.page import read_page
from feeds.sources.titles import plain_title

DATA = Path(__file__).parent / "data" / "page"
CASES = sorted(DATA.glob("*.html"))


def expected(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.with_suffix(".expected.json").read_text(encoding="utf-8")))


def read(file: Path, case: dict[str, Any]) -> Draft:
    given = {"url": "https://blog.example/blog/post/", "body": file.read_bytes()} | case.get("document", {})
    return read_page(Document(**given), rules=Page(**case.get("rules", {})), zone=ZoneInfo(case.get("zone", "UTC")))


def written(draft: Draft) -> dict[str, Any]:
    """A draft as JSON: what is empty left out, times as ISO 8601."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(draft).items() if value}
    plain["authors"] = [author["name"] for author in plain.get("authors", ())]
    return dict(json.loads(json.dumps(plain)))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_page_is_read_as_expected(file: Path) -> None:
    case = expected(file)
    assert written(read(file, case)) == case["draft"]


@pytest.mark.parametrize("title", ["chan&lt;- T &amp; &lt;select&gt;", "chan<- T & <select>", "<b>chan&lt;- T</b> & <select>"])
def test_angle_brackets_of_a_title_survive(title: str) -> None:
    assert plain_title(title) == "chan<- T & <select>"


def test_a_page_that_is_not_html_is_an_empty_draft() -> None:
    draft = read_page(Document("https://blog.example/x/", b"\xff\x00\xfe"), rules=Page(), zone=ZoneInfo("UTC"))
    assert (draft.title, draft.published, draft.authors) == ("", None, ())
