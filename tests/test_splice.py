"""A document that is spliced from entries written before is, to the byte, the document that is written at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.formats import FORMATS, Format
from feeds.model import Deleted, Enclosure, Feed, Person, Post
from feeds.publishing.splice import Splicer
from feeds.refreshing.identity import content_digest
from feeds.text import xml_safe
from tests.builders import NOW, a_feed, a_post, a_site

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(xml_safe)
MARKS = st.sampled_from(["</entry>", "<entry>", "</item><item>", "]]>", "</feed>", '"},\n{"', "chan<- T", "&amp;", ""])


@st.composite
def editions(draw: st.DrawFn) -> list[Feed]:
    """Editions of a feed, from each to the next of which some posts come, change and go."""
    words = st.tuples(TEXT, MARKS, TEXT).map("".join)
    found = []
    for _ in range(draw(st.integers(2, 5))):
        posts = [
            a_post(
                id=f"tag:b,2026:{n}",
                url=f"https://b.example/{n}/",
                title=draw(words) or "x",
                summary=draw(words),
                content=draw(words),
                tags=tuple(draw(st.lists(words.filter(bool), max_size=2))),
                authors=(Person(draw(words) or "x"),),
                published=NOW - timedelta(hours=n),
                enclosures=(Enclosure("https://b.example/a.mp3", "audio/mpeg", 5),) * draw(st.integers(0, 1)),
            )
            if draw(st.booleans())
            else a_post(id=f"tag:b,2026:{n}", url=f"https://b.example/{n}/", published=NOW - timedelta(hours=n))
            for n in sorted(draw(st.sets(st.integers(0, 6))))
        ]
        deleted = (Deleted("tag:b,2026:9", NOW),) * draw(st.integers(0, 1))
        updated = NOW + timedelta(seconds=draw(st.integers(-(10**9), 10**9)))
        found.append(a_feed(*posts, deleted=deleted, updated=updated, title=draw(st.sampled_from(["A title", "Another <item>"]))))
    return found


@given(editions())
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_spliced_document_is_the_document(suffix: str, feeds: list[Feed]) -> None:
    splicer = Splicer()
    urls = {name: f"https://feeds.example/feeds/kernel.{name}" for name in FORMATS}
    for feed in feeds:
        whole = replace(feed, urls=urls)
        assert splicer.render(FORMATS[suffix], whole) == FORMATS[suffix].render(whole)


class Counting(Format):
    """A format that counts what it writes: entries in each document, and heads."""

    written: list[int]
    heads: int

    @classmethod
    def of(cls, suffix: str) -> Counting:
        form = FORMATS[suffix]
        made = cls(form.suffix, form.media_type, form.module, form.title)
        object.__setattr__(made, "written", [0])
        object.__setattr__(made, "heads", 0)
        return made

    def head(self, feed: Feed) -> bytes:
        object.__setattr__(self, "heads", self.heads + 1)
        return super().head(feed)

    def entry(self, post: Post, feed: Feed) -> bytes:
        self.written[-1] += 1
        return super().entry(post, feed)

    def join(self, head: bytes, entries: Sequence[bytes]) -> bytes:
        self.written.append(0)
        return super().join(head, entries)


def many(count: int) -> tuple[Post, ...]:
    return tuple(
        a_post(id=f"tag:b,2026:{n}", url=f"https://b.example/{n}/", published=NOW - timedelta(hours=n)) for n in range(count)
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_what_changed_is_written(suffix: str) -> None:
    splicer, form, posts = Splicer(), Counting.of(suffix), many(20)
    feed = a_feed(*posts)
    edited = replace(posts[3], content="<p>Edited.</p>")
    edited = replace(edited, digest=content_digest(edited))
    splicer.render(form, feed)
    splicer.render(form, feed)
    splicer.render(form, a_feed(*posts[:3], edited, *posts[4:]))
    splicer.render(form, a_feed(*posts[5:]))
    splicer.render(form, replace(feed, current=feed.urls, previous=feed.urls))
    assert form.written == [20, 0, 1, 0, 1, 0]
    assert form.heads == 2


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_every_entry_may_depend_on_writes_all_of_them_anew(suffix: str) -> None:
    splicer, form, posts = Splicer(), Counting.of(suffix), many(5)
    splicer.render(form, a_feed(*posts))
    splicer.render(form, a_feed(*posts, site=a_site(author="Somebody else")))
    splicer.render(form, a_feed(*posts, home="https://feeds.example/other/"))
    assert form.written == [5, 5, 5, 0]


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    form, feeds = Counting.of("atom"), [a_feed(*many(20), id=f"tag:b,2026:topics/{n}") for n in range(3)]
    splicer = Splicer(room=2 * len(FORMATS["atom"].render(feeds[0])))
    for feed in feeds:
        splicer.render(form, feed)
    splicer.render(form, feeds[2])
    splicer.render(form, feeds[0])
    assert form.written == [20, 20, 20, 0, 20, 0]
