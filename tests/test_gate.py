"""What a build must satisfy before its bytes replace those in service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from feeds.errors import GateError
from feeds.formats import FORMATS
from feeds.model import Enclosure, Post
from feeds.publishing.gate import Served, check_build, check_change, check_posts
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


@pytest.mark.parametrize("suffix", ["atom", "rss"])
def test_what_a_reader_finds_otherwise_is_refused_every_time_and_the_entries_beside_it_are_not(suffix: str) -> None:
    stripped = a_feed(ONE, a_post(id=" spaced "), TWO)
    for _ in range(2):
        with pytest.raises(GateError, match="another id or link than was written:  spaced "):
            check_build("/feeds/kernel", suffix, stripped, FORMATS[suffix].render(stripped))
        sound = a_feed(ONE, TWO)
        check_build("/feeds/kernel", suffix, sound, FORMATS[suffix].render(sound))


def test_an_id_that_was_never_minted_is_refused() -> None:
    with pytest.raises(GateError, match="never minted") as refused:
        check_posts("/feeds/kernel.atom", (ONE, TWO), now=NOW, unminted={TWO.id})
    assert (refused.value.rule, refused.value.entries) == ("ledger", (TWO.id,))


@pytest.mark.parametrize("suffix", FORMATS)
def test_entries_in_another_order_than_by_date_are_refused(suffix: str) -> None:
    feed = a_feed(ONE, a_post(id="newer", published=NOW))
    with pytest.raises(GateError) as refused:
        check_build("/feeds/kernel", suffix, feed, FORMATS[suffix].render(feed))
    assert (refused.value.rule, refused.value.entries) == ("order", ("newer",))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (replace(ONE, url="https://other.example/"), "absolute-urls"),
        (replace(ONE, published=NOW, updated=NOW), "dates"),
        (replace(ONE, enclosures=(Enclosure("/relative.mp3", "audio/mpeg"),)), "absolute-urls"),
    ],
    ids=["link", "date", "file"],
)
def test_a_build_that_says_something_else_than_its_posts_is_refused(suffix: str, written: Post, rule: str) -> None:
    with pytest.raises(GateError) as refused:
        check_build("/feeds/kernel", suffix, a_feed(ONE), FORMATS[suffix].render(a_feed(written)))
    assert (refused.value.rule, refused.value.entries) == (rule, (ONE.id,))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.replace(b'"version"', b'"virsion"'),
        lambda body: body.replace(b'"title": "Kernel', b'"titel": "Kernel'),
        lambda body: body.replace(b'"tags": ["kernel"]', b'"tags": "kernel"'),
        lambda body: body.replace(b"+00:00", b""),
        lambda body: b"[]",
    ],
    ids=["version", "title", "type", "zone", "list"],
)
def test_json_that_is_no_json_feed_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(GateError) as refused:
        check_build("/feeds/kernel.json", "json", a_feed(ONE), spoil(FORMATS["json"].render(a_feed(ONE))))
    assert refused.value.rule == "well-formed"


def posts(first: int, last: int, *, generation: str = "") -> list[Post]:
    return [a_post(id=f"{n}{generation}", url=f"https://blog.example/{n}/") for n in range(first, last)]


def served(first: int, last: int, *, accounted: bool = False) -> list[Served]:
    return [Served(str(n), f"https://blog.example/{n}/", accounted) for n in range(first, last)]


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (served(0, 10), posts(0, 10), ""),
        (served(0, 10), posts(5, 20), ""),
        (served(0, 10), posts(6, 10), "collapse"),
        (served(0, 10), [], "collapse"),
        (served(0, 10, accounted=True), [], ""),
        (served(0, 6) + served(6, 10, accounted=True), posts(3, 6), ""),
        (served(0, 3), [], ""),
        ([], posts(0, 10), ""),
        (served(0, 10), posts(0, 10, generation="b"), "collapse"),
        (served(0, 10, accounted=True), posts(0, 10, generation="b"), "churn"),
        (served(0, 10, accounted=True), posts(0, 5) + posts(5, 10, generation="b"), ""),
        (served(0, 10), posts(0, 10) + posts(20, 40), ""),
    ],
)
def test_a_change_that_looks_like_an_accident_is_refused(before: list[Served], after: list[Post], rule: str) -> None:
    if not rule:
        check_change("/feeds/kernel", before, after)
        return
    with pytest.raises(GateError) as refused:
        check_change("/feeds/kernel", before, after)
    assert refused.value.rule == rule
    assert len(refused.value.entries) > 5
