"""What a document changes. The heart of it: the same document twice changes nothing the second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feeds.model import Draft, Enclosure, Person, Post, Source
from feeds.refreshing.identity import content_digest
from feeds.refreshing.intake import Change, Intake, Known, Rules, read_page, take_in, wanted
from feeds.refreshing.merge import PAGE
from feeds.text import one_line, xml_safe
from tests.builders import NOW, a_draft, a_post, a_site, a_source, ago, at

LATER = NOW + timedelta(hours=1)


@dataclass
class Shelf:
    """What has been kept: a ledger and posts, as the store keeps them."""

    ledger: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    said: dict[str, dict[str, Draft]] = field(default_factory=dict)

    def take(self, *drafts: Draft, now: datetime = NOW, source: Source | None = None) -> Intake:
        source = source or a_source()
        name = source.id
        known = Known(self.ledger, self._stored, self._said, lambda candidate: candidate in self.posts)
        taken = take_in(drafts, Rules(source, a_site(), priority=("blog", "mirror")), known, now=now)
        self.ledger.update(taken.learned)
        for entry_id, draft in taken.said.items():
            self.said.setdefault(entry_id, {})[name] = draft
        self.posts.update((change.post.id, change.post) for change in taken.changes)
        return taken

    def post(self, *drafts: Draft, now: datetime = NOW) -> Post:
        """The one post that the drafts change."""
        (change,) = self.take(*drafts, now=now).changes
        return change.post

    def read(self, post: Post, page: Draft, *, now: datetime = NOW) -> Post:
        """The post once its page has been read."""
        rich = read_page(post, self.said[post.id], page, Rules(a_source(), a_site(), priority=("blog", "mirror")), now=now)
        self.posts[post.id] = rich
        self.said[post.id][PAGE] = page
        return rich

    def _said(self, ids: Sequence[str]) -> dict[str, dict[str, Draft]]:
        return {entry_id: dict(self.said[entry_id]) for entry_id in ids if entry_id in self.said}

    def _stored(self, ids: Sequence[str]) -> dict[str, Post]:
        return {entry_id: self.posts[entry_id] for entry_id in ids if entry_id in self.posts}


odd_text = st.text(st.characters(), max_size=30)
odd_line = odd_text.map(one_line)
moments = st.none() | st.datetimes(at("2000-01-01").replace(tzinfo=None), at("2040-01-01").replace(tzinfo=None)).map(
    lambda naive: at(naive.isoformat()).replace(microsecond=0)
)
drafts = st.builds(
    Draft,
    guid=st.sampled_from(["", "1", "2", "3"]) | odd_line,
    url=st.sampled_from(["", "https://blog.example/a/", "https://blog.example/b/", "https://blog.example/?p=1"]),
    title=odd_line,
    summary=odd_text,
    content=odd_text | st.just("<p>A <a href='/x'>link</a> and <script>x</script></p>"),
    base=st.sampled_from(["", "https://cdn.example/"]),
    authors=st.lists(st.builds(Person, odd_line.filter(bool)), max_size=2).map(tuple),
    tags=st.lists(odd_line.filter(bool), max_size=3).map(tuple),
    published=moments,
    updated=moments,
    published_raw=odd_line,
    image=st.sampled_from(["", "https://blog.example/a.png"]),
)


@given(st.lists(drafts, max_size=6))
def test_the_same_document_twice_changes_nothing(document: list[Draft]) -> None:
    shelf = Shelf()
    shelf.take(*document)
    again = shelf.take(*document, now=LATER)
    assert again.changes == ()
    assert dict(again.learned) == {}


@given(st.lists(drafts, max_size=6))
def test_every_draft_becomes_one_post_or_is_set_aside(document: list[Draft]) -> None:
    taken = Shelf().take(*document)
    assert len(taken.changes) + len(taken.set_aside) == len(document)
    assert len({change.post.id for change in taken.changes}) == len(taken.changes)


@given(drafts)
def test_whatever_a_draft_holds_its_post_can_be_published(draft: Draft) -> None:
    assume(draft.guid or draft.url or draft.title or draft.summary or draft.content)
    post = Shelf().post(draft)
    assert post.title.strip()
    assert post.url.startswith("https://")
    assert post.digest == content_digest(post)
    for text in (post.summary, post.content, post.published_raw):
        assert xml_safe(text) == text


def test_a_draft_that_says_nothing_is_set_aside_and_the_others_go_on() -> None:
    taken = Shelf().take(Draft(published=NOW, published_raw="now"), a_draft())
    assert [item.reason for item in taken.set_aside] == ["has no guid, link, title or text"]
    assert len(taken.changes) == 1


def test_a_draft_becomes_a_new_post() -> None:
    (change,) = Shelf().take(a_draft(authors=(Person("Ann"),))).changes
    assert change == Change(a_post(), before=None)


def test_html_is_sanitised_and_made_absolute_on_the_way_in() -> None:
    post = Shelf().post(
        a_draft(summary='<p onclick="x()">Short</p>', content='<img src="a.png"><script>x()</script><a href="/b/">b</a>')
    )
    assert post.summary == "<p>Short</p>"
    assert post.content == '<img src="https://blog.example/blog/seqlocks/a.png"><a href="https://blog.example/b/">b</a>'


def test_links_rest_on_the_base_of_the_draft_where_it_has_one() -> None:
    post = Shelf().post(a_draft(content='<img src="a.png">', base="https://cdn.example/posts/"))
    assert post.content == '<img src="https://cdn.example/posts/a.png">'


@pytest.mark.parametrize(
    ("draft", "title"),
    [
        (a_draft(title="Seqlocks"), "Seqlocks"),
        (a_draft(title="", summary="<p>Readers <b>never</b> wait.</p>"), "Readers never wait."),
        (a_draft(title="", summary="", content="<p>Even &amp; odd.</p>"), "Even & odd."),
        (a_draft(title="", summary="", content=""), "https://blog.example/blog/seqlocks/"),
    ],
)
def test_a_post_without_a_title_is_called_by_what_it_says(draft: Draft, title: str) -> None:
    assert Shelf().post(draft).title == title


def test_a_title_of_a_whole_page_is_cut() -> None:
    assert len(Shelf().post(a_draft(title="word " * 1000)).title) <= 500


def test_a_post_without_a_summary_is_summed_up_by_its_beginning() -> None:
    post = Shelf().post(a_draft(summary="", content="<p>a &lt; b.</p>" + "<p>More words.</p>" * 100))
    assert post.summary.startswith("<p>a &lt; b. More words.")
    assert post.summary.endswith("…</p>")


def test_a_post_without_an_address_leads_to_the_blog() -> None:
    assert Shelf().post(a_draft(url="")).url == "https://blog.example/"


def test_a_post_without_a_date_is_as_old_as_its_first_sight_for_ever() -> None:
    shelf, undated = Shelf(), a_draft(published=None, published_raw="")
    assert shelf.post(undated).published == NOW
    edited = shelf.post(replace(undated, title="Edited"), now=LATER)
    assert (edited.published, edited.updated) == (NOW, LATER)


def test_a_post_from_the_future_keeps_its_date_and_is_edited_no_earlier() -> None:
    shelf, scheduled = Shelf(), a_draft(published=at("2026-04-01"))
    post = shelf.post(scheduled)
    assert (post.published, post.updated) == (at("2026-04-01"), at("2026-04-01"))
    assert shelf.post(replace(scheduled, title="Edited"), now=LATER).updated == at("2026-04-01")


@pytest.mark.parametrize(
    ("updated", "expected"),
    [
        (None, at("2026-03-04 05:06:07")),
        (at("2026-03-05"), at("2026-03-05")),
        (at("2026-03-01"), at("2026-03-04 05:06:07")),
        (at("2026-05-01"), at("2026-03-04 05:06:07")),
    ],
)
def test_a_new_post_was_updated_when_it_says_if_that_can_be(updated: datetime | None, expected: datetime) -> None:
    assert Shelf().post(a_draft(updated=updated)).updated == expected


@pytest.mark.parametrize(
    "edit",
    [
        {"title": "Seqlocks, revised"},
        {"content": "<p>An odd number means noise.</p>"},
        {"summary": "<p>Other.</p>"},
        {"authors": (Person("Ben"),)},
        {"enclosures": (Enclosure("https://blog.example/a.mp3", "audio/mpeg"),)},
    ],
)
def test_an_edit_moves_updated_and_nothing_else_of_the_times(edit: dict[str, object]) -> None:
    shelf = Shelf()
    before = shelf.post(a_draft())
    (change,) = shelf.take(replace(a_draft(), **edit), now=LATER).changes
    assert change.before == before
    assert (change.post.published, change.post.first_seen, change.post.updated) == (before.published, NOW, LATER)


@pytest.mark.parametrize(
    "edit",
    [
        {"tags": ("kernel", "locks")},
        {"url": "https://blog.example/2026/seqlocks/"},
    ],
)
def test_a_change_that_nobody_reads_is_kept_but_is_no_edit(edit: dict[str, object]) -> None:
    shelf = Shelf()
    before = shelf.post(a_draft())
    after = shelf.post(replace(a_draft(), **edit), now=LATER)
    assert (after.updated, after.published, after.id) == (before.updated, before.published, before.id)


def test_a_date_that_the_source_moves_later_moves_nothing() -> None:
    shelf = Shelf()
    shelf.take(a_draft())
    moved = a_draft(published=at("2026-03-09"), published_raw="Mon, 09 Mar 2026 00:00:00 GMT")
    assert shelf.take(moved, now=LATER).changes == ()


def test_the_sources_own_time_of_an_edit_is_taken_if_it_can_be() -> None:
    shelf = Shelf()
    shelf.take(a_draft())
    assert shelf.post(a_draft(title="Second", updated=at("2026-03-09")), now=LATER).updated == at("2026-03-09")
    assert shelf.post(a_draft(title="Third", updated=at("2026-03-08")), now=LATER).updated == LATER
    much_later = LATER + timedelta(days=1)
    assert shelf.post(a_draft(title="Fourth", updated=at("2027-01-01")), now=much_later).updated == much_later


def test_an_edit_taken_back_is_an_edit() -> None:
    shelf = Shelf()
    first = shelf.post(a_draft())
    shelf.take(a_draft(title="Other"), now=LATER)
    back = shelf.post(a_draft(), now=LATER + timedelta(hours=1))
    assert back.digest == first.digest
    assert back.updated == LATER + timedelta(hours=1)


def test_the_source_that_brought_a_post_first_speaks_for_it() -> None:
    shelf = Shelf()
    shelf.take(a_draft())
    assert shelf.take(a_draft(guid="x", title="A planet's copy"), source=a_source(id="planet")).changes == ()


def test_an_item_that_is_there_twice_is_set_aside_once_with_its_reason() -> None:
    taken = Shelf().take(a_draft(), a_draft())
    assert len(taken.changes) == 1
    assert [(item.key, item.title, item.reason) for item in taken.set_aside] == [
        ("post-1", "Seqlocks", "repeats another item of the document")
    ]


@pytest.mark.parametrize(
    ("include", "exclude", "path", "let_in"),
    [
        ((), (), "/anything", True),
        (("/blog/*",), (), "/blog/a/", True),
        (("/blog/*",), (), "/blog/deep/er/", True),
        (("/blog/*",), (), "/projects/a/", False),
        (("/blog/*",), (), "/Blog/a/", False),
        (("/blog/*", "/notes/*"), (), "/notes/a/", True),
        ((), ("/drafts/*",), "/drafts/a/", False),
        ((), ("/drafts/*",), "/blog/a/", True),
        (("/blog/*",), ("/blog/private/*",), "/blog/private/a/", False),
        (("/内核/*",), (), "/%E5%86%85%E6%A0%B8/a/", True),
        (("/",), (), "", True),
    ],
)
def test_include_and_exclude_let_in_by_path(include: tuple[str, ...], exclude: tuple[str, ...], path: str, *, let_in: bool) -> None:
    draft = a_draft(url=f"https://blog.example{path}?page=1#part")
    assert wanted([draft], a_source(include=include, exclude=exclude)) == ([draft] if let_in else [])


def test_a_page_adds_its_tags_and_fills_what_is_missing() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(authors=(), tags=("kernel",), language="", image=""))
    page = Draft(
        authors=(Person("Ann"),), tags=("locks", "Kernel"), language="en", image="https://blog.example/a.png", published=NOW
    )
    rich = shelf.read(post, page)
    assert rich.tags == ("kernel", "locks")
    assert (rich.authors, rich.language, rich.image) == ((Person("Ann"),), "en", "https://blog.example/a.png")
    assert rich.enriched
    assert rich.digest == content_digest(rich)


def test_a_page_overrules_nothing_and_is_no_edit() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(authors=(Person("Ann"),), language="en", image="https://blog.example/a.png"))
    page = Draft(
        authors=(Person("Ben"),), language="fr", image="https://blog.example/b.png", published=at("2020-01-01"), title="Other"
    )
    assert shelf.read(post, page) == replace(post, enriched=True)


def test_a_page_dates_a_post_that_the_source_did_not() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(published=None, published_raw="", updated=None))
    dated = shelf.read(post, Draft(published=at("2026-02-01"), published_raw="2026-02-01"))
    assert (dated.published, dated.updated, dated.published_raw) == (at("2026-02-01"), at("2026-02-01"), "2026-02-01")


def test_a_page_cannot_date_a_post_after_its_first_sight() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(published=None, published_raw="", updated=None))
    assert shelf.read(post, Draft(published=LATER, published_raw="later")).published == NOW


def test_what_a_page_said_survives_the_next_refresh() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft())
    shelf.read(post, Draft(authors=(Person("Ann"),), tags=("locks",), language="en", image="https://blog.example/a.png"))
    assert shelf.take(a_draft(), now=LATER).changes == ()


def test_what_a_page_said_survives_an_edit_at_the_source() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(tags=("kernel",)))
    shelf.read(post, Draft(tags=("locks",)))
    edited = shelf.post(a_draft(tags=("kernel",), title="Another title"), now=LATER)
    assert (edited.title, edited.tags) == ("Another title", ("kernel", "locks"))


def test_what_a_page_dated_survives_the_next_refresh() -> None:
    shelf = Shelf()
    post = shelf.post(a_draft(published=None, published_raw="", updated=None))
    shelf.read(post, Draft(published=ago(days=9), published_raw="nine days ago"))
    assert shelf.take(a_draft(published=None, published_raw="", updated=None), now=LATER).changes == ()
    assert shelf.posts[post.id].published == ago(days=9)


def test_two_sources_give_one_post_of_which_the_first_is_believed_and_all_tags_are_kept() -> None:
    shelf = Shelf()
    mirror = a_source(id="mirror")
    (first,) = shelf.take(a_draft(title="As mirrored", tags=("mirrored",), summary="", content=""), source=mirror).changes
    (second,) = shelf.take(a_draft(title="As written", tags=("kernel",)), now=LATER).changes
    assert second.post.id == first.post.id
    assert (second.post.title, second.post.tags) == ("As written", ("kernel", "mirrored"))
    assert shelf.take(a_draft(title="As mirrored", tags=("mirrored",), summary="", content=""), source=mirror).changes == ()
