"""An entry id is minted once and for ever: what a post's URL, scheme, host or guid become later makes no new post of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.model import Draft, Enclosure, Person
from feeds.refreshing.identity import Assignment, assign, content_digest, mint_id, tag_uri
from feeds.refreshing.keys import Provenance, canonical_url, ledger_keys
from tests.builders import NOW, a_draft, a_post, ago, at

TAG_URI = re.compile(
    r"tag:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?,\d{4}(?:-\d{2}(?:-\d{2})?)?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*"
)
"""RFC 4151 §2.1, with its authority a domain name."""


BLOG = Provenance("blog", "blog.example", "blog.example")


def nothing_taken(_id: str) -> bool:
    return False


def mint(draft: Draft, taken: Callable[[str], bool]) -> str:
    return mint_id(draft, authority="blog.example", first_seen=NOW, is_taken=taken)


def assigned(drafts: Sequence[Draft], ledger: dict[str, str]) -> list[Assignment]:
    """Assign and let the ledger learn, as a refresh does."""
    assignments, _ = assign(drafts, BLOG, ledger, mint, set(ledger.values()).__contains__)
    for assignment in assignments:
        ledger.update((key, assignment.id) for key in assignment.learned)
    return assignments


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://blog.example/a/", "https://blog.example/a/"),
        ("https://www.blog.example/a/", "https://blog.example/a/"),
        ("https://BLOG.example/a/", "https://blog.example/a/"),
        ("https://blog.example:443/a/", "https://blog.example/a/"),
        ("http://blog.example:80/a/", "https://blog.example/a/"),
        ("https://blog.example/a", "https://blog.example/a/"),
        ("https://blog.example", "https://blog.example/"),
        ("https://blog.example/a/index.html", "https://blog.example/a/"),
        ("https://blog.example/a/default.aspx", "https://blog.example/a"),
        ("https://blog.example/a/?utm_source=rss&utm_medium=feed", "https://blog.example/a/"),
        ("https://blog.example/a/?id=1&fbclid=x", "https://blog.example/a/?id=1"),
        ("https://blog.example/a/?", "https://blog.example/a/"),
        ("https://blog.example/a/#utm_source=rss", "https://blog.example/a/"),
        ("https://blog.example/%7Eann/", "https://blog.example/~ann/"),
        ("https://blog.example/ü", "https://blog.example/%C3%BC"),
        ("https://blog.example/%c3%bc", "https://blog.example/%C3%BC"),
    ],
)
def test_two_addresses_of_one_post_are_equal(one: str, other: str) -> None:
    assert canonical_url(one) == canonical_url(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://blog.example/a/", "https://blog.example/b/"),
        ("https://blog.example/a/", "https://other.example/a/"),
        ("https://blog.example/a/", "https://blog.example/A/"),
        ("https://blog.example/?p=1", "https://blog.example/?p=2"),
        ("https://blog.example/?a=1&b=2", "https://blog.example/?b=2&a=1"),
        ("https://blog.example/changes/#v1", "https://blog.example/changes/#v2"),
        ("https://blog.example:8080/a/", "https://blog.example/a/"),
        ("https://blog.example/myindex.html", "https://blog.example/my"),
    ],
)
def test_addresses_of_different_posts_differ(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_canonical_form_is_one_whatever_the_scheme(path: str) -> None:
    try:
        secure = canonical_url(f"https://blog.example/{path}")
    except ValueError:
        return  # no URL at all: absolute() lets none of these through
    assert canonical_url(f"http://www.blog.example/{path}") == secure


def test_an_id_is_minted_from_the_publication_the_day_and_the_path() -> None:
    minted = mint_id(a_draft(), authority="blog.example", first_seen=NOW, is_taken=nothing_taken)
    assert minted == "tag:blog.example,2026-03-10:blog/seqlocks"


def test_minting_is_deterministic() -> None:
    draft = a_draft(url="")
    assert mint(draft, nothing_taken) == mint(draft, nothing_taken)
    assert mint(draft, nothing_taken) != mint(replace(draft, guid="another"), nothing_taken)


def test_an_id_that_is_reserved_is_minted_for_nobody_else() -> None:
    reserved = {"tag:blog.example,2026-03-10:blog/seqlocks", "tag:blog.example,2026-03-10:blog/seqlocks:2"}
    assert mint(a_draft(), reserved.__contains__) == "tag:blog.example,2026-03-10:blog/seqlocks:3"


@pytest.mark.parametrize(
    "url",
    [
        "https://blog.example/",
        "https://blog.example/blog/a/",
        "https://blog.example/?p=12",
        "https://blog.example/a/?x=1#part",
        "https://other.example:8080/a/",
        "https://blog.example/%E5%86%85%E6%A0%B8/",
        "https://blog.example/a%20b/",
        "https://blog.example/100%/",
        "https://blog.example/" + "long/" * 80,
        "",
    ],
)
@pytest.mark.parametrize("authority", ["blog.example", "www.blog.example", "localhost:8000"])
def test_minted_ids_are_tag_uris(url: str, authority: str) -> None:
    minted = mint_id(a_draft(url=url), authority=authority, first_seen=NOW, is_taken=nothing_taken)
    assert TAG_URI.fullmatch(minted), minted


@given(st.text(), st.text(), st.text())
def test_minted_ids_are_tag_uris_whatever_the_source_wrote(guid: str, title: str, path: str) -> None:
    draft = a_draft(guid=guid, title=title, url=f"https://blog.example/{path}" if path.isalnum() else "")
    assert TAG_URI.fullmatch(mint(draft, nothing_taken))


def test_the_day_of_a_tag_uri_is_the_day_given() -> None:
    assert tag_uri("www.blog.example:443", at("2026-03-04").date(), "topics/go") == "tag:blog.example,2026-03-04:topics/go"


def test_a_draft_that_the_ledger_does_not_know_is_minted_an_id_and_its_keys_are_learned() -> None:
    (assignment,) = assigned([a_draft()], {})
    assert assignment.minted
    assert assignment.learned[:2] == ("guid:blog:post-1", "url:blog.example/blog/seqlocks")
    assert assignment.learned[2].startswith("title:")


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://blog.example/2026/seqlocks/"},
        {"url": "https://new.example/blog/seqlocks/"},
        {"url": "http://www.blog.example/blog/seqlocks"},
        {"url": ""},
        {"guid": "https://blog.example/?p=17"},
        {"guid": ""},
        {"title": "Seqlocks, revised", "published": at("2026-03-09")},
        {"title": "", "summary": "", "content": "", "tags": (), "published": None},
    ],
)
def test_a_change_at_the_source_keeps_the_id_as_long_as_one_key_ties(change: dict[str, object]) -> None:
    ledger: dict[str, str] = {}
    (first,) = assigned([a_draft()], ledger)
    (second,) = assigned([replace(a_draft(), **change)], ledger)
    assert (second.id, second.minted) == (first.id, False)


def test_a_guid_ties_before_a_url() -> None:
    ledger = {"guid:blog:post-1": "tag:by-guid", "url:blog.example/blog/seqlocks": "tag:by-url"}
    (assignment,) = assigned([a_draft()], ledger)
    assert assignment.id == "tag:by-guid"


def test_a_guid_names_a_post_only_within_its_source() -> None:
    ledger = {"guid:another:post-1": "tag:anothers"}
    (assignment,) = assigned([a_draft()], ledger)
    assert assignment.minted


def test_two_sources_that_carry_one_url_carry_one_post() -> None:
    ledger: dict[str, str] = {}
    (first,) = assigned([a_draft()], ledger)
    again, _ = assign([a_draft(guid="elsewhere")], replace(BLOG, source="mirror"), ledger, mint, nothing_taken)
    assert [assignment.id for assignment in again] == [first.id]


def test_a_guid_that_posts_share_merges_nothing() -> None:
    drafts = [a_draft(guid="same", url=f"https://blog.example/{n}/", title=f"Post {n}") for n in range(5)]
    ledger: dict[str, str] = {}
    ids = [assignment.id for assignment in assigned(drafts, ledger)]
    assert len(set(ids)) == 5
    assert [assignment.id for assignment in assigned(drafts, ledger)] == ids


def test_a_url_that_posts_share_merges_nothing() -> None:
    drafts = [a_draft(guid=f"{n}", url="https://blog.example/", title=f"Post {n}") for n in range(5)]
    ledger: dict[str, str] = {}
    ids = [assignment.id for assignment in assigned(drafts, ledger)]
    assert len(set(ids)) == 5
    assert [assignment.id for assignment in assigned(drafts[::-1], ledger)] == ids[::-1]


def test_posts_that_share_guid_and_url_are_told_apart_by_their_titles() -> None:
    drafts = [a_draft(title=title) for title in ("One", "Two")]
    ledger: dict[str, str] = {}
    ids = [assignment.id for assignment in assigned(drafts, ledger)]
    assert len(set(ids)) == 2
    assert [assignment.id for assignment in assigned(drafts, ledger)] == ids


def test_a_draft_that_is_there_twice_is_one_post_and_a_repeat() -> None:
    assignments, repeats = assign([a_draft(), a_draft()], BLOG, {}, mint, nothing_taken)
    assert len(assignments) == 1
    assert repeats == [a_draft()]


def test_a_post_whose_guid_a_second_one_takes_over_later_stays_itself() -> None:
    ledger: dict[str, str] = {}
    one, two = (a_draft(guid="same", url=f"https://blog.example/{n}/", title=n) for n in ("one", "two"))
    (first,) = assigned([one], ledger)
    both = assigned([two, one], ledger)
    assert both[1].id == first.id
    assert both[0].id != first.id


def test_a_very_long_key_is_kept_by_its_hash() -> None:
    (keys,) = ledger_keys([a_draft(guid="g" * 5000)], BLOG)
    assert all(len(key) <= 500 for key in keys.all)
    assert len({keys.strong for keys in ledger_keys([a_draft(guid="g" * 5000), a_draft(guid="g" * 4999 + "h")], BLOG)}) == 2


draft_keys = st.tuples(
    st.sampled_from(["", "1", "2", "3"]), st.sampled_from(["", "/a/", "/b/", "/c/"]), st.sampled_from(["A", "B"])
)


@given(st.lists(draft_keys, max_size=6))
def test_looking_twice_at_any_document_mints_nothing_the_second_time(document: list[tuple[str, str, str]]) -> None:
    drafts = [a_draft(guid=g, url=u and f"https://blog.example{u}", title=t) for g, u, t in document]
    ledger: dict[str, str] = {}
    first = assigned(drafts, ledger)
    second = assigned(drafts, ledger)
    assert [(a.draft, a.id) for a in second] == [(a.draft, a.id) for a in first]
    assert not any(a.minted or a.learned for a in second)
    assert len({a.id for a in first}) == len(first)


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)))
def test_whatever_order_and_slugs_become_one_tie_is_enough(order: list[int], moved: set[int], renamed: set[int]) -> None:
    drafts = [a_draft(guid=f"g{n}", url=f"https://blog.example/{n}/", title=f"T{n}") for n in range(4)]
    ledger: dict[str, str] = {}
    before = {n: a.id for n, a in enumerate(assigned(drafts, ledger))}
    for n in moved:
        drafts[n] = replace(drafts[n], url=f"https://blog.example/new-{n}/")
    for n in renamed - moved:
        drafts[n] = replace(drafts[n], guid=f"new-g{n}")
    after = assigned([drafts[n] for n in order], ledger)
    assert [a.id for a in after] == [before[n] for n in order]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x"},
        {"summary": "x"},
        {"content": "x"},
        {"authors": (Person("Ben"),)},
        {"enclosures": (Enclosure("https://x.example/", "a/b"),)},
        {"image": "https://x.example/"},
        {"language": "fr"},
    ],
)
def test_the_digest_moves_with_what_a_reader_sees(change: dict[str, object]) -> None:
    assert content_digest(replace(a_post(), **change)) != content_digest(a_post())


@pytest.mark.parametrize("change", [{"updated": NOW}, {"first_seen": ago(days=1)}, {"url": "https://x.example/"}, {"tags": ("x",)}])
def test_the_digest_stays_where_nothing_to_read_changed(change: dict[str, object]) -> None:
    assert content_digest(replace(a_post(), **change)) == content_digest(a_post())
