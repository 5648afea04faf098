"""Whatever a source sends, nothing that could run is in a title, link, summary or content, of feeds and of pages."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from feeds.model import Document
from feeds.sources import parse
from tests.builders import a_draft, a_source
from tests.executable import executable, found_in, publish

UNSAFE = sorted((Path(__file__).parent / "data" / "unsafe").iterdir())


@pytest.mark.parametrize("file", UNSAFE, ids=lambda file: file.name)
def test_nothing_that_is_published_could_run(file: Path) -> None:
    drafts = parse(a_source(), Document(f"https://blog.example/{file.name}", file.read_bytes()), zone=UTC).drafts
    assert len(publish(drafts).posts) >= 2
    assert found_in(drafts) == []


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>", "<p onclick=x>", "<a href='javascript:x'>", "<a href=' java\nscript:x'>", "<img src='data:x'>",
        "<p style='color:red'>", "<iframe src='https://x.example/'>", "<svg onload=x>", "<a href='/relative'>", "<form>",
        "<img srcset='javascript:x 1x'>",
    ],
)  # fmt: skip
def test_what_could_run_is_found(html: str) -> None:
    assert list(executable(html))


def test_an_ordinary_post_is_published_whole() -> None:
    html = '<p>Text <a href="https://blog.example/">with</a> a <code>chan&lt;- T</code>.</p><img src="https://blog.example/a.png">'
    assert found_in([a_draft(content=html)]) == []
    assert publish([a_draft(content=html)]).posts[0].content == html


@pytest.mark.parametrize(
    "title", ["chan<- T & <T>", "How <script> and <select> load", "Vec<Box<dyn Error>>", "if a <b && c = d>", "&lt;T>"]
)
def test_a_title_that_speaks_of_elements_keeps_them(title: str) -> None:
    assert publish([a_draft(title=title)]).posts[0].title == title


@pytest.mark.parametrize(
    ("title", "published"),
    [
        ("<script>alert(1)</script>Read me", "Read me"),
        ("Read <img alt='>' src=x onerror=alert(1)>me", "Read me"),
        ("<svg/onload=alert(1)>Read me", "Read me"),
        ("<iframe srcdoc='&lt;script>'>Read me", "Read me"),
        ("<p style='&#106;'>&lt;script>alert(1)&lt;/script>Read me", "Read me"),
    ],
)
def test_a_title_that_would_run_is_left_with_its_text(title: str, published: str) -> None:
    assert publish([a_draft(title=title)]).posts[0].title == published
