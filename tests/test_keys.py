"""What ties the posts of several sources, and what must not: a false merge hides a post, a double only repeats one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.model import Draft
from feeds.refreshing.identity import assign, mint_id
from feeds.refreshing.keys import Provenance, canonical_host, ledger_keys
from tests.builders import NOW, a_draft, a_site, a_source, at

FEED = Provenance("feed", "blog.example", "blog.example")
STAGING = Provenance("listing", "staging.example", "blog.example")
LOCAL = Provenance("listing", "127.0.0.1:4000", "blog.example")
OTHER = Provenance("other", "other.example", "blog.example")


def at_host(host: str, **changes: object) -> Draft:
    """The ordinary post as another source has it: without a guid."""
    return replace(a_draft(guid="", url=f"https://{host}/blog/seqlocks/"), **changes)


def take(ledger: dict[str, str], *drafts: Draft, of: Provenance) -> list[str]:
    """Assign as a refresh of a source does, and let the ledger learn; the ids."""

    def mint(draft: Draft, taken: Callable[[str], bool]) -> str:
        inside = of.host if of.is_inside else ""
        return mint_id(draft, authority="blog.example", first_seen=NOW, is_taken=taken, inside=inside)

    assignments, _ = assign(drafts, of, ledger, mint, set(ledger.values()).__contains__)
    for assignment in assignments:
        ledger.update((key, assignment.id) for key in assignment.learned)
    return [assignment.id for assignment in assignments]


def ids_of(*said: tuple[Provenance, Draft]) -> list[str]:
    """The ids of single-post documents, read one after the other."""
    ledger: dict[str, str] = {}
    return [take(ledger, draft, of=provenance)[0] for provenance, draft in said]


def in_any_order(*said: tuple[Provenance, Draft]) -> set[int]:
    """How many posts single-post documents make, in each order of their sources."""
    return {len(set(ids_of(*order))) for order in permutations(said)}


@pytest.mark.parametrize(
    ("provenance", "draft"),
    [
        (LOCAL, at_host("127.0.0.1:4000")),
        (STAGING, at_host("staging.example")),
        (STAGING, at_host("staging.example", url="https://staging.example/Blog/Seqlocks")),
        (STAGING, at_host("staging.example", title="SEQLOCKS!")),
        (STAGING, at_host("staging.example", published=at("2026-03-03 20:00"))),
        (STAGING, at_host("staging.example", published=at("2026-03-05 12:00"))),
        (STAGING, at_host("staging.example", published=None)),
        (OTHER, at_host("other.example", aliases=("http://blog.example/blog/seqlocks",), title="As syndicated", published=None)),
    ],
    ids=["loopback", "staging", "case", "signs", "day-before", "day-after", "undated", "canonical"],
)
def test_a_blog_at_two_addresses_is_one_blog_whichever_is_read_first(provenance: Provenance, draft: Draft) -> None:
    assert in_any_order((FEED, a_draft()), (provenance, draft)) == {1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((FEED, a_draft()), (STAGING, at_host("staging.example", title="Spinlocks"))),
        ((FEED, a_draft()), (STAGING, at_host("staging.example", published=at("2026-03-06 05:00")))),
        ((FEED, a_draft()), (STAGING, at_host("staging.example", url="https://staging.example/2026/seqlocks/"))),
        ((FEED, a_draft()), (STAGING, at_host("third.example"))),
        ((OTHER, at_host("other.example")), (STAGING, at_host("staging.example"))),
        ((FEED, a_draft(title="")), (STAGING, at_host("staging.example", title=""))),
        ((FEED, a_draft(url="https://blog.example/")), (STAGING, at_host("staging.example", url="https://staging.example/"))),
        ((FEED, a_draft(guid="post-1")), (STAGING, a_draft(guid="post-1", url="https://staging.example/x/", title="Other"))),
    ],
    ids=["title", "days", "path", "elsewhere", "two-others", "untitled", "front-page", "local-guid"],
)
def test_posts_of_two_sources_that_only_resemble_each_other_stay_two(
    one: tuple[Provenance, Draft], other: tuple[Provenance, Draft]
) -> None:
    assert in_any_order(one, other) == {2}


def test_ports_of_one_machine_are_different_blogs() -> None:
    home = "127.0.0.1:4000"
    sources = [(Provenance(f"s{port}", f"127.0.0.1:{port}", home), at_host(f"127.0.0.1:{port}")) for port in (4000, 4001, 4002)]
    assert in_any_order(*sources) == {3}


def test_a_post_that_the_document_has_already_is_not_tied_again() -> None:
    ledger: dict[str, str] = {}
    take(ledger, a_draft(), of=FEED)
    mirrored = at_host("staging.example", guid="m")
    both = take(ledger, replace(mirrored, url="https://blog.example/blog/seqlocks/"), mirrored, of=STAGING)
    assert len(set(both)) == 2


def test_a_monthly_series_of_equal_titles_stays_a_series() -> None:
    months = [
        a_draft(guid=f"{n}", url=f"https://blog.example/{n}/", title="What we read", published=at(f"2026-0{n}-01"))
        for n in range(1, 7)
    ]
    ledger: dict[str, str] = {}
    before = take(ledger, *months[:4], of=FEED)
    assert len(set(before)) == 4
    assert take(ledger, *months[2:], of=FEED)[:2] == before[2:]
    assert len({*before, *take(ledger, *months[2:], of=FEED)}) == 6
    local = [replace(d, guid="", url=d.url.replace("blog.example", "127.0.0.1:4000")) for d in months]
    assert take(ledger, *local, of=LOCAL)[:4] == before


def test_a_canonical_address_that_pages_share_merges_nothing() -> None:
    drafts = [
        a_draft(guid="", url=f"https://blog.example/{n}/", title=f"{n}", aliases=("https://blog.example/blog/",)) for n in range(4)
    ]
    ledger: dict[str, str] = {}
    assert len(set(take(ledger, *drafts, of=FEED))) == 4
    assert "url:blog.example/blog" not in ledger


def test_what_two_items_of_a_document_share_ties_neither_to_another_source() -> None:
    ledger: dict[str, str] = {}
    parts = [a_draft(guid=path, url=f"https://blog.example/{path}/") for path in ("part", "PART")]
    ids = take(ledger, *parts, of=FEED)
    (staged,) = take(ledger, at_host("staging.example", url="https://staging.example/PART/"), of=STAGING)
    assert staged not in ids


def test_permalinks_as_guids_name_posts_only_within_their_source() -> None:
    one = a_draft(guid="https://blog.example/3", url="https://blog.example/a/", title="A")
    other = a_draft(guid="https://blog.example/3", url="https://blog.example/b/", title="B")
    assert in_any_order((FEED, one), (OTHER, other)) == {2}, "a relative guid may have been resolved against the feed's address"


def test_a_worldwide_guid_names_a_post_in_every_source() -> None:
    guid = "urn:uuid:9bb3a1d0-1d5c-4c0b-9f4e-0d9f2a1d3c11"
    relayed = a_draft(guid=guid, url="https://relay.example/~r/12", title="Relayed")
    assert in_any_order((FEED, a_draft(guid=guid)), (OTHER, relayed)) == {1}


def test_alone_in_an_empty_store_each_address_of_a_blog_gives_the_same_id() -> None:
    alone = [ids_of((FEED, a_draft())), ids_of((LOCAL, at_host("127.0.0.1:4000"))), ids_of((LOCAL, at_host("blog.example")))]
    assert alone == [["tag:blog.example,2026-03-10:blog/seqlocks"]] * 3


@pytest.mark.parametrize(
    ("url", "home", "inside"),
    [
        ("http://localhost:4000/feed", "https://blog.example/", True),
        ("http://127.0.0.1/feed", "https://blog.example/", True),
        ("http://[::1]:4000/feed", "https://blog.example/", True),
        ("http://cafe:4000/feed", "https://blog.example/", False),
        ("https://staging.example/feed", "https://blog.example/", False),
        ("http://localhost:4000/feed", "http://localhost:4000/", False),
        ("http://localhost:4000/feed", "http://127.0.0.1/", False),
    ],
)
def test_a_source_is_inside_where_its_address_says_so_and_the_blogs_does_not(url: str, home: str, *, inside: bool) -> None:
    assert Provenance.of(a_source(url=url), a_site(home=home)).is_inside is inside


def test_the_host_of_an_address_has_its_port_where_it_is_unusual() -> None:
    hosts = [canonical_host(url) for url in ("https://www.Blog.example:443/a?b#c", "http://x.example:81?b", "http://y.example")]
    assert hosts == ["blog.example", "x.example:81", "y.example"]


Told = list[tuple[str, str, int]]
posts = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["A", "B"]), st.integers(1, 4)), max_size=5, unique=True)


def written(documents: Told, host: str, guid: str = "") -> list[Draft]:
    return [
        a_draft(guid=guid and f"{guid}-{n}", url=f"https://{host}/{slug}/", title=title, published=at(f"2026-03-0{day}"))
        for n, (slug, title, day) in enumerate(documents)
    ]


@given(posts, posts)
def test_no_two_drafts_of_a_document_are_ever_one_post(
    first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]
) -> None:
    ledger: dict[str, str] = {}
    for drafts, of in ((written(first, "blog.example", "g"), FEED), (written(second, "staging.example", "h"), STAGING)):
        ids = take(ledger, *drafts, of=of)
        assert len(ids) == len(drafts)
        assert len(set(ids)) == len(ids)
        assert take(ledger, *drafts, of=of) == ids


@given(st.permutations(range(5)), st.permutations((FEED, STAGING, LOCAL)))
def test_three_addresses_of_a_blog_give_each_post_one_id_in_any_order(order: list[int], sources: list[Provenance]) -> None:
    blog = [("a", "Monthly", 1), ("b", "Monthly", 3), ("c", "C", 3), ("d", "D", 3), ("e", "Monthly", 6)]
    ledger: dict[str, str] = {}
    given_ids = []
    for of in sources:
        ids = take(ledger, *written([blog[n] for n in order], of.host, "g" if of is FEED else ""), of=of)
        given_ids.append(ids)
    assert given_ids[0] == given_ids[1] == given_ids[2]
    assert len(set(given_ids[0])) == 5


def test_a_draft_of_nothing_but_a_text_has_one_key() -> None:
    (keys,) = ledger_keys([Draft(summary="Words")], FEED)
    assert [key.partition(":")[0] for key in keys.all] == ["item"]
