"""What a feed says of its posts is what a reader of it learns; whatever Unicode a post is made of, it is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.formats import FORMATS
from feeds.model import Document, Draft, Enclosure, Feed, Person, Post
from feeds.sources import parse
from feeds.text import one_line, plain, sanitise
from tests.builders import a_feed, a_post, a_source
from tests.unicode import unpublished

LATIN_1 = "".join(map(chr, range(0x80, 0x100)))
"""feedparser takes some sequences of these for UTF-8 that was read as Latin-1, and mends it."""

words = st.text(st.characters(exclude_characters=f"<>&;{LATIN_1}"), max_size=40).map(one_line).filter(bool)
html = st.lists(words | st.sampled_from(["<p>", "</p>", "<b>", "<pre>\n\tx </pre>", "<br>", "&lt;T&gt;"]), max_size=5).map(
    lambda parts: sanitise("".join(parts), "https://blog.example/")
)
urls = st.integers(0, 10**9).map(lambda n: f"https://cdn.example/{n}?a=1&b=2")
files = st.builds(Enclosure, urls, st.sampled_from(["audio/mpeg", "video/mp4"]), st.integers(0, 10**12))
moments = st.integers(0, 10**9).map(lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@st.composite
def posts(draw: st.DrawFn) -> Post:
    published = draw(moments)
    return a_post(
        title=draw(words),
        summary=draw(html.filter(bool)),
        content=draw(html),
        authors=tuple(Person(name) for name in draw(st.lists(words, min_size=1, max_size=3, unique=True))),
        tags=tuple(draw(st.lists(words, max_size=3, unique=True))),
        published=published,
        updated=published + timedelta(seconds=draw(st.integers(0, 10**6))),
        image=draw(st.just("") | urls.map(lambda url: f"{url}&.png")),
        enclosures=tuple(draw(st.lists(files, max_size=3, unique_by=lambda file: file.url))),
        language=draw(st.sampled_from(["en", "de-AT", "zh"])),
    )


def read(suffix: str, feed: Feed) -> tuple[Draft, ...]:
    body = FORMATS[suffix].render(feed)
    return parse(a_source(), Document(feed.urls[suffix], body, FORMATS[suffix].media_type), zone=UTC).drafts


@pytest.mark.parametrize("suffix", FORMATS)
@given(st.lists(posts(), max_size=3))
def test_a_reader_learns_of_every_post_what_it_is(suffix: str, drawn: list[Post]) -> None:
    feed = a_feed(*(replace(p, id=f"tag:blog.example,2026:{n}", url=f"https://blog.example/{n}/") for n, p in enumerate(drawn)))
    drafts = read(suffix, feed)
    assert [learnt(draft) for draft in drafts] == [told(post) for post in feed.posts]
    if suffix != "rss":
        assert [draft.updated.replace(microsecond=0) for draft in drafts if draft.updated] == [post.updated for post in feed.posts]


def told(post: Post) -> tuple[object, ...]:
    return (
        post.id, post.url, post.title, post.published, post.image, post.enclosures, post.tags, post.language,
        [person.name for person in post.authors],
    )  # fmt: skip


def learnt(draft: Draft) -> tuple[object, ...]:
    return (
        draft.guid, draft.url, draft.title, draft.published, draft.image, draft.enclosures, draft.tags, draft.language,
        [person.name for person in draft.authors],
    )  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
@given(posts())
def test_a_reader_gets_the_text_as_it_is(suffix: str, post: Post) -> None:
    (draft,) = read(suffix, a_feed(replace(post, content=f"<p>{post.title}</p>{post.content}")))
    assert plain(draft.content) == plain(f"<p>{post.title}</p>{post.content}")


def test_posts_of_any_unicode_are_published() -> None:
    assert unpublished(1000) == []
