"""Each case is a file in ``tests/data/<kind>/`` beside its ``<case>.expected.json``; ``<case>.source.json`` has the Source's keys.

What is expected names everything that is not empty. Its ``document`` says how the file reached the reader, where that matters;
``error`` is part of the message with which the file must be refused.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import ParseError, SettingsError
from feeds.model import Document, Fields, Parsed, Source
from feeds.redaction import redacted
from feeds.settings import load
from feeds.sources import ghost, json_api, listing, parse, sitemap, wordpress

DATA = Path(__file__).parent / "data"
KINDS = ("sitemap", "listing", "wordpress", "ghost", "json")
EXPECTED, SOURCE = ".expected.json", ".source.json"
URLS = {
    "sitemap": "https://blog.example/sitemap.xml",
    "listing": "https://blog.example/blog/",
    "wordpress": "https://blog.example/wp-json/wp/v2/posts?_embed=1&per_page=50",
    "ghost": "https://blog.example/ghost/api/content/posts/?key=k&include=tags,authors",
    "json": "https://blog.example/api/posts",
}


def files(kind: str) -> list[Path]:
    return sorted(file for file in (DATA / kind).iterdir() if not file.name.endswith((EXPECTED, SOURCE)))


CASES = [pytest.param(kind, file, id=f"{kind}-{file.stem}") for kind in KINDS for file in files(kind)]


def beside(file: Path, suffix: str) -> dict[str, Any]:
    other = file.with_name(file.stem + suffix)
    return dict(json.loads(other.read_text(encoding="utf-8"))) if other.exists() else {}


def source_of(kind: str, **keys: Any) -> Source:
    return Source.model_validate({"id": "case", "kind": kind, "url": "https://blog.example/"} | keys)


def plainly(value: Any) -> Any:
    """A value as it is written down: what is empty left out, times as ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plainly(item) for item in value]
    return {key: plainly(item) for key, item in value.items() if item} if isinstance(value, dict) else value


def read(kind: str, file: Path) -> dict[str, Any]:
    case, source = beside(file, EXPECTED), source_of(kind, **beside(file, SOURCE))
    given = {"url": URLS[kind], "body": file.read_bytes()} | case.get("document", {})
    given["links"] = tuple(tuple(link) for link in given.get("links", ()))
    try:
        parsed = parse(source, Document(**given), zone=ZoneInfo(source.timezone or "UTC"))
    except ParseError as error:
        return {"error": str(error)}
    return dict(plainly(asdict(parsed)))


@pytest.mark.parametrize(("kind", "file"), CASES)
def test_a_document_is_read_as_expected(kind: str, file: Path) -> None:
    case, got = beside(file, EXPECTED), read(kind, file)
    if "error" in case:
        assert case["error"] in got.get("error", f"nothing was refused: {got}")
        assert got["error"].startswith(redacted(URLS[kind]) + ": ")
    else:
        assert got == {key: value for key, value in case.items() if key != "document"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_expectation_belongs_to_a_file(kind: str) -> None:
    named = {file.name.removesuffix(EXPECTED) for file in (DATA / kind).glob(f"*{EXPECTED}")}
    assert named == {file.stem for file in files(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_cut_anywhere_is_read_or_refused(kind: str) -> None:
    for file in files(kind):
        body, source = file.read_bytes(), source_of(kind, **beside(file, SOURCE))
        for end in range(0, len(body), max(1, len(body) // 40)):
            assert is_read_or_refused(source, Document(URLS[kind], body[:end]))


def is_read_or_refused(source: Source, document: Document) -> bool:
    try:
        parsed = parse(source, document, zone=UTC)
    except ParseError as error:
        return str(error).isprintable()
    json.dumps(plainly(asdict(parsed)), ensure_ascii=False).encode("utf-8")
    return isinstance(parsed, Parsed) and not parsed.complete


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "url", "title", "link", "tags"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=JSON, kind=st.sampled_from(["wordpress", "ghost", "json"]))
def test_any_json_is_read_or_refused(value: Any, kind: str) -> None:
    everything = {
        "published": "title",
        "authors": "tags",
        "tags": "tags",
        "id": "id",
        "next": "url",
        "image": "url",
        "content": "link",
    }
    source = source_of(kind, fields=everything)
    for whole in (value, [value], {"posts": [value], "meta": value}):
        assert is_read_or_refused(source, Document(URLS[kind], json.dumps(whole).encode()))


def test_a_gzip_bomb_ends_at_the_bound() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * (sitemap.MAX_BYTES + 1), 1)
    with pytest.raises(ParseError, match="larger than 64 MiB once unpacked"):
        parse(source_of("sitemap"), Document(URLS["sitemap"], bomb), zone=UTC)


def test_a_gzip_body_of_several_members_is_one_sitemap() -> None:
    body = gzip.compress(b"https://blog.example/a\n") + gzip.compress(b"https://blog.example/b\n")
    parsed = parse(source_of("sitemap"), Document(URLS["sitemap"], body), zone=UTC)
    assert [draft.url for draft in parsed.drafts] == ["https://blog.example/a", "https://blog.example/b"]
    assert zlib.decompress(body, 31) == b"https://blog.example/a\n"


def test_a_sitemap_of_more_urls_than_allowed_is_read_that_far_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sitemap.MAX_URLS == 50_000  # as the protocol allows
    monkeypatch.setattr(sitemap, "MAX_URLS", 500)
    urls = b"".join(b"<url><loc>https://b.example/%d</loc></url>" % n for n in range(505))
    parsed = parse(source_of("sitemap"), Document(URLS["sitemap"], b"<urlset>" + urls + b"</urlset>"), zone=UTC)
    assert len(parsed.drafts) == 500
    assert "more than 500 entries" in parsed.set_aside[0].reason


def test_findings_tell_what_each_selector_found_item_by_item() -> None:
    file = DATA / "listing" / "archive.html"
    source = source_of("listing", **beside(file, SOURCE))
    found = listing.findings(Document(URLS["listing"], file.read_bytes()), source, ZoneInfo("America/Vancouver"))
    assert [(f.link, f.title, f.date) for f in found] == [
        ("post-a/", "A select too far", "2026-05-06"),
        ("post-b/", "Picture of B", "2026-04-01 09:15"),
        ("", "No link here", ""),
        ("javascript:void(0)", "Script", ""),
    ]
    assert found[0].url == "https://www.blog.example/base/post-a/"
    assert found[0].published == datetime(2026, 5, 6, 19, tzinfo=UTC)
    assert [bool(f.reason) for f in found] == [False, False, True, True]
    assert "listing.link = 'a[href]'" in found[2].reason


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://blog.example/", "https://blog.example/wp-json/wp/v2/posts?_embed=1&per_page=50"),
        ("https://blog.example/blog", "https://blog.example/blog/wp-json/wp/v2/posts?_embed=1&per_page=50"),
        ("https://blog.example/wp-json/", "https://blog.example/wp-json/wp/v2/posts?_embed=1&per_page=50"),
        ("https://blog.example/wp-json/wp/v2", "https://blog.example/wp-json/wp/v2/posts?_embed=1&per_page=50"),
        (
            "https://blog.example/wp-json/wp/v2/talks?categories=3&per_page=9",
            "https://blog.example/wp-json/wp/v2/talks?_embed=1&per_page=9&categories=3",
        ),
        ("https://blog.example/?rest_route=/", "https://blog.example/?_embed=1&per_page=50&rest_route=/wp/v2/posts"),
        (
            "https://public-api.wordpress.com/wp/v2/sites/b.example/posts",
            "https://public-api.wordpress.com/wp/v2/sites/b.example/posts?_embed=1&per_page=50",
        ),
    ],
)
def test_the_wordpress_endpoint_is_found_from_a_site_or_its_api(url: str, expected: str) -> None:
    assert wordpress.endpoint(url) == expected
    assert wordpress.endpoint(expected) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://blog.example", "https://blog.example/ghost/api/content/posts/?include=tags,authors&limit=50&key=k"),
        ("https://b.example/blog/", "https://b.example/blog/ghost/api/content/posts/?include=tags,authors&limit=50&key=k"),
        (
            "https://b.example/ghost/api/v3/content/posts/?filter=tag:go&key=old",
            "https://b.example/ghost/api/v3/content/posts/?include=tags,authors&limit=50&filter=tag:go&key=k",
        ),
        ("https://b.example/ghost/api/", "https://b.example/ghost/api/content/posts/?include=tags,authors&limit=50&key=k"),
    ],
)
def test_the_ghost_endpoint_is_found_from_a_site_or_its_api(url: str, expected: str) -> None:
    assert ghost.endpoint(url, "k") == expected
    assert ghost.endpoint(expected, "k") == expected


def test_expressions_that_cannot_be_used_are_told_by_key() -> None:
    fields = Fields(posts="items[", title="shout(title)", tags="join(tags)", url="link")
    assert [message.partition(":")[0] for message in json_api.check(fields)] == ["posts", "title", "tags"]
    assert "shout(), which JMESPath does not have" in json_api.check(fields)[1]
    assert json_api.check(Fields(tags="sort_by(labels, &name)[].name", authors="[user.login]", url="not_null(a, b, c)")) == []


BEGINNING = '[site]\ntitle = "B"\nhome = "https://b.example/"\npublic_url = "https://f.example/"\n'


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ('kind = "listing"', {"sources.0.listing": "is missing; a source of kind 'listing' needs"}),
        ('kind = "json"', {"sources.0.fields": "is missing; a source of kind 'json' needs"}),
        ('kind = "ghost"', {"sources.0.key": "is missing; a source of kind 'ghost' needs"}),
        ('kind = "folder"', {"sources.0.path": "is missing; a source of kind 'folder' needs"}),
        ('kind = "json"\nfields = {posts = "a["}', {"sources.0.fields.posts": "is no JMESPath expression"}),
        (
            'key = "k"\npath = "p"\npermalink = "/:slug/"\nlisting = {item = "li"}\nfields = {posts = "a["}',
            {f"sources.0.{key}": "is only for sources of kind" for key in ("key", "path", "permalink", "listing", "fields")},
        ),
        ('kind = "listing"\nlisting = {item = "li"}', {}),
        ('kind = "json"\nfields = {}', {}),
        ('kind = "ghost"\nkey = "k"', {}),
        ('kind = "folder"\npath = "posts"', {}),
    ],
)
def test_a_source_needs_what_its_kind_needs_and_nothing_else(tmp_path: Path, table: str, problems: dict[str, str]) -> None:
    file = tmp_path / "topicfeeds.toml"
    file.write_text(f'{BEGINNING}[[sources]]\nid = "s"\nurl = "https://b.example/"\n{table}\n', encoding="utf-8")
    try:
        load(file, environ={})
        found = {}
    except SettingsError as error:
        found = {problem.where: problem.message for problem in error.problems}
    assert set(found) == set(problems)
    assert all(found[where].startswith(message) for where, message in problems.items())
