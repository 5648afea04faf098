"""What a build must satisfy before its bytes replace those in service."""

from __future__ import annotations

from datetime import timedelta

import pytest

from feeds.errors import GateError
from feeds.formats import FORMATS
from feeds.gate import check_build, check_posts
from feeds.model import Post
from tests.builders import NOW, a_feed, a_post

ONE = a_post(id="tag:blog.example,2026:one")
TWO = a_post(id="tag:blog.example,2026:two")


def test_sound_posts_pass() -> None:
    check_posts("/feeds/kernel.atom", (ONE, TWO), now=NOW)
    check_posts("/feeds/kernel.atom", (), now=NOW)


@pytest.mark.parametrize(
    ("posts", "rule", "entries"),
    [
        ((ONE, TWO, ONE), "unique-ids", (ONE.id,)),
        ((ONE, a_post(id="late", published=NOW + timedelta(minutes=6))), "future", ("late",)),
        ((a_post(id="bare", url=""), ONE), "absolute-urls", ("bare",)),
        ((a_post(id="relative", url="/blog/"),), "absolute-urls", ("relative",)),
        ((a_post(id="script", url="javascript:alert(1)"),), "absolute-urls", ("script",)),
    ],
)
def test_a_post_that_no_feed_may_carry_is_refused_by_its_id(posts: tuple[Post, ...], rule: str, entries: tuple[str, ...]) -> None:
    with pytest.raises(GateError) as refused:
        check_posts("/feeds/kernel.atom", posts, now=NOW)
    assert (refused.value.path, refused.value.rule, refused.value.entries) == ("/feeds/kernel.atom", rule, entries)
    assert entries[0] in str(refused.value)


def test_clocks_that_differ_by_minutes_are_no_future() -> None:
    check_posts("/feeds/kernel.atom", (a_post(published=NOW + timedelta(minutes=5)),), now=NOW)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_the_formats_write_passes(suffix: str) -> None:
    for feed in (a_feed(), a_feed(ONE), a_feed(ONE, TWO)):
        check_build("/feeds/kernel", suffix, feed, FORMATS[suffix].render(feed))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("written", [(), (ONE,), (TWO, ONE), (ONE, TWO, TWO), (ONE, a_post(id="other"))])
def test_a_build_with_other_entries_than_went_in_is_refused(written: tuple[Post, ...], suffix: str) -> None:
    with pytest.raises(GateError) as refused:
        check_build("/feeds/kernel", suffix, a_feed(ONE, TWO), FORMATS[suffix].render(a_feed(*written)))
    assert refused.value.rule == "entries"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "spoil", [lambda body: body[:-10], lambda body: b"", lambda body: body.replace(b"Seq", b"\x08eq"), lambda body: body + b"<x/>"]
)
def test_a_build_that_is_not_well_formed_is_refused(spoil: object, suffix: str) -> None:
    with pytest.raises(GateError) as refused:
        check_build("/feeds/kernel", suffix, a_feed(ONE), spoil(FORMATS[suffix].render(a_feed(ONE))))
    assert refused.value.rule == "well-formed"
