"""What subscribers get, to the byte: ``tests/golden/<format>/<case>`` holds it, ``REWRITE_GOLDEN=1`` rewrites it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from feeds.formats import FORMATS, directory, opml, pages
from feeds.model import Deleted, Document, Draft, Enclosure, Feed, Origin, Person, Post
from feeds.sources import parse
from feeds.text import one_line, sanitise, xml_safe
from tests.builders import a_feed, a_post, a_site, a_source, at

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"atom": ".xml", "rss": ".xml", "json": ".json"}
XML = ("atom", "rss")
ATOM = {"a": "http://www.w3.org/2005/Atom"}
DC = "{http://purl.org/dc/elements/1.1/}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
MEDIA = "{http://search.yahoo.com/mrss/}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"

NASTY = (
    "chan<- T & <select>",
    "AT&amp;T",
    "]]> and <![CDATA[",
    "<script>alert(1)</script>",
    "\"quotes\" & 'apostrophes'",
    "内核 🐧 naïve",
)


def numbered(**overrides: object) -> Post:
    """A post whose id and URL follow its number ``n``."""
    n = overrides.pop("n")
    return a_post(**{"id": f"tag:blog.example,2026-03-10:blog/{n}", "url": f"https://blog.example/blog/{n}/"} | overrides)


CASES: dict[str, Feed] = {
    "empty": a_feed(),
    "ordinary": a_feed(
        numbered(
            n=2, title="Seqlocks", published=at("2026-03-04 05:06:07"), updated=at("2026-03-06"), tags=("kernel", "memory models")
        ),
        numbered(n=1, title="Page faults", published=at("2026-03-01")),
    ),
    "nasty-titles": a_feed(
        *(numbered(n=n, title=title) for n, title in enumerate(NASTY)), title="Locks <& co> — Blog", description="<b> & co."
    ),
    "enclosures": a_feed(
        numbered(
            n=1,
            enclosures=(
                Enclosure("https://cdn.example/1.mp3?a=1&b=2", "audio/mpeg", 12345),
                Enclosure("https://cdn.example/1.ogg", "audio/ogg"),
            ),
        )
    ),
    "no-content": a_feed(numbered(n=1, content=""), numbered(n=2, content="", summary="", tags=(), authors=())),
    "many-authors": a_feed(
        numbered(
            n=1, authors=(Person("Ann", "ann@blog.example", "https://ann.example/"), Person("Ben", "at home"), Person("Cleo & Co"))
        ),
        site=a_site(author="The Editors"),
    ),
    "archive": a_feed(
        numbered(n=1),
        urls={suffix: f"https://feeds.example/feeds/kernel/archive/2.{suffix}" for suffix in FORMATS},
        **{
            name: {suffix: f"https://feeds.example/feeds/kernel{path}.{suffix}" for suffix in FORMATS}
            for name, path in (("current", ""), ("previous", "/archive/1"), ("following", "/archive/3"))
        },
    ),
    "deleted": a_feed(
        numbered(n=1),
        deleted=(Deleted("tag:blog.example,2026-03-10:blog/0", at("2026-03-05 06:07:08")),),
        previous={suffix: f"https://feeds.example/feeds/kernel/archive/2.{suffix}?version=7" for suffix in FORMATS},
    ),
    "image": a_feed(
        numbered(n=2, image="https://blog.example/2.PNG?w=800"),
        numbered(n=1, image="https://blog.example/picture"),
        site=a_site(
            image="https://blog.example/logo.png",
            icon="https://blog.example/icon.png",
            rights="© Ann",
            language="en-CA",
            description="A blog.",
        ),
    ),
    "elsewhere": a_feed(
        numbered(n=3, source="guest", url="https://guest.example/3/", language="de-AT"),
        numbered(n=2, source="guest", url="https://guest.example/2/", authors=(), language="no language at all"),
        numbered(n=1, source="guest", language="EN"),
        label="Kernel",
        interval=timedelta(hours=3),
        hubs=("https://hub.example/",),
        origins={"guest": Origin("Guests & co", "https://guest.example/feed.xml")},
    ),
}


def drafts_of(body: bytes, url: str) -> tuple[Draft, ...]:
    return parse(a_source(), Document(url, body), zone=UTC).drafts


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_feed_is_written_to_the_byte_as_before(suffix: str, case: str) -> None:
    file = GOLDEN / suffix / f"{case}{ENDINGS[suffix]}"
    written = FORMATS[suffix].render(CASES[case])
    if os.environ.get("REWRITE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written)
    assert written == file.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_written_to_the_byte_as_before(case: str) -> None:
    file = GOLDEN / "page" / f"{case}.html"
    written = pages.topic_page(CASES[case])
    if os.environ.get("REWRITE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written)
    assert written == file.read_bytes()


def test_every_golden_file_belongs_to_a_case() -> None:
    for folder, ending in (*ENDINGS.items(), ("page", ".html")):
        assert {file.name for file in (GOLDEN / folder).iterdir()} == {case + ending for case in CASES}


@pytest.mark.parametrize("suffix", XML)
def test_a_feed_names_itself_and_the_page_of_its_topic(suffix: str) -> None:
    root = etree.fromstring(FORMATS[suffix].render(CASES["ordinary"]))
    own = root.xpath("//a:link[@rel='self']/@href", namespaces=ATOM)
    assert own == [f"https://feeds.example/feeds/kernel.{suffix}"]
    if suffix == "rss":
        assert root.findtext("channel/link") == "https://feeds.example/topics/kernel/"
    else:
        assert root.xpath("a:link[@rel='alternate']/@href", namespaces=ATOM) == ["https://feeds.example/topics/kernel/"]


@pytest.mark.parametrize(("suffix", "path"), [("atom", "a:link"), ("rss", "channel/a:link")])
def test_an_archive_document_names_its_neighbours(suffix: str, path: str) -> None:
    root = etree.fromstring(FORMATS[suffix].render(CASES["archive"]))
    related = {link.get("rel"): link.get("href") for link in root.findall(path, ATOM)}
    base = "https://feeds.example/feeds/kernel"
    assert related.pop("alternate", "") in ("", "https://feeds.example/topics/kernel/")
    assert related == {
        "self": f"{base}/archive/2.{suffix}",
        "current": f"{base}.{suffix}",
        "prev-archive": f"{base}/archive/1.{suffix}",
        "next-archive": f"{base}/archive/3.{suffix}",
    }
    assert len(list(root.iter(f"{HISTORY}archive"))) == 1
    assert not list(etree.fromstring(FORMATS[suffix].render(CASES["deleted"])).iter(f"{HISTORY}archive"))


@pytest.mark.parametrize("suffix", XML)
def test_the_only_archive_document_is_not_marked_as_one_while_it_can_change(suffix: str) -> None:
    alone = replace(CASES["archive"], previous={}, following={})
    assert not list(etree.fromstring(FORMATS[suffix].render(alone)).iter(f"{HISTORY}archive"))


def test_posts_of_one_day_are_told_apart_by_a_fraction_of_a_second() -> None:
    feed = a_feed(*(a_post(id=f"tag:blog.example,2026:{n}") for n in range(50)))
    written = etree.fromstring(FORMATS["atom"].render(feed)).findall("a:entry/a:updated", ATOM)
    assert len({element.text for element in written}) == 50
    assert {datetime.fromisoformat(element.text or "").replace(microsecond=0) for element in written} == {a_post().updated}
    alone = etree.fromstring(FORMATS["atom"].render(a_feed(feed.posts[7])))
    assert alone.findtext("a:entry/a:updated", None, ATOM) == written[7].text


@pytest.mark.parametrize(("suffix", "path"), [("atom", "a:entry/a:content"), ("rss", f"channel/item/{CONTENT}encoded")])
def test_characters_that_look_like_a_wrong_encoding_are_references(suffix: str, path: str) -> None:
    content = "<p>\xc3\xb3 for \ufffd, \xf3\x85</p>"
    found = etree.fromstring(FORMATS[suffix].render(a_feed(a_post(content=content)))).findtext(path, None, ATOM)
    assert found == "<p>\xc3&#xB3; for &#xFFFD;, \xf3\n</p>"


def test_a_json_feed_leads_on_to_older_items() -> None:
    base = "https://feeds.example/feeds/kernel"
    found = [json.loads(FORMATS["json"].render(CASES[case])).get("next_url") for case in ("archive", "deleted", "ordinary")]
    assert found == [f"{base}/archive/1.json", f"{base}/archive/2.json?version=7", None]


def test_a_withdrawn_entry_is_told_of() -> None:
    root = etree.fromstring(FORMATS["atom"].render(CASES["deleted"]))
    (entry,) = root.findall("{http://purl.org/atompub/tombstones/1.0}deleted-entry")
    assert dict(entry.attrib) == {"ref": "tag:blog.example,2026-03-10:blog/0", "when": "2026-03-05T06:07:08+00:00"}


def test_the_guid_of_an_item_is_no_address() -> None:
    guids = etree.fromstring(FORMATS["rss"].render(CASES["ordinary"])).findall("channel/item/guid")
    assert [(guid.text, guid.get("isPermaLink")) for guid in guids] == [(post.id, "false") for post in CASES["ordinary"].posts]


def test_the_authors_of_an_item_are_dublin_cores_creators() -> None:
    item = etree.fromstring(FORMATS["rss"].render(CASES["many-authors"])).find("channel/item")
    assert [element.text for element in item.findall(f"{DC}creator")] == ["Ann", "Ben", "Cleo & Co"]
    assert item.find("author") is None


def test_an_entry_has_every_author_and_address_that_can_be_one() -> None:
    entry = etree.fromstring(FORMATS["atom"].render(CASES["many-authors"])).find("a:entry", ATOM)
    people = [{child.tag.partition("}")[2]: child.text for child in author} for author in entry.findall("a:author", ATOM)]
    assert people == [
        {"name": "Ann", "email": "ann@blog.example", "uri": "https://ann.example/"},
        {"name": "Ben"},
        {"name": "Cleo & Co"},
    ]


def test_the_feed_of_a_site_without_an_author_is_by_the_site() -> None:
    root = etree.fromstring(FORMATS["atom"].render(CASES["ordinary"]))
    assert root.findtext("a:author/a:name", namespaces=ATOM) == "Blog"


def test_an_item_has_one_enclosure_and_the_others_as_media_and_an_entry_has_all() -> None:
    feed = CASES["enclosures"]
    item = etree.fromstring(FORMATS["rss"].render(feed)).find("channel/item")
    assert [dict(e.attrib) for e in item.findall("enclosure")] == [
        {"url": "https://cdn.example/1.mp3?a=1&b=2", "length": "12345", "type": "audio/mpeg"}
    ]
    assert [dict(e.attrib) for e in item.findall(f"{MEDIA}content")] == [
        {"url": "https://cdn.example/1.ogg", "type": "audio/ogg", "medium": "audio"}
    ]
    entry = etree.fromstring(FORMATS["atom"].render(feed)).find("a:entry", ATOM)
    assert [dict(e.attrib) for e in entry.findall("a:link[@rel='enclosure']", ATOM)] == [
        {"rel": "enclosure", "href": "https://cdn.example/1.mp3?a=1&b=2", "type": "audio/mpeg", "length": "12345"},
        {"rel": "enclosure", "href": "https://cdn.example/1.ogg", "type": "audio/ogg"},
    ]


def test_an_item_has_its_summary_as_description_and_its_text_as_content() -> None:
    item = etree.fromstring(FORMATS["rss"].render(CASES["ordinary"])).find("channel/item")
    assert item.findtext("description") == "<p>Readers never wait.</p>"
    assert item.findtext(f"{CONTENT}encoded") == "<p>An even number means quiet.</p>"


def test_a_json_feed_says_who_where_and_when() -> None:
    site = a_site(timezone="America/Vancouver", author="Ann", image="https://blog.example/logo.png", language="en-CA")
    post = numbered(
        n=1,
        image="https://blog.example/1.png",
        language="de",
        published=at("2026-07-01"),
        enclosures=(
            Enclosure("https://cdn.example/1.mp3", "audio/mpeg", 12345),
            Enclosure("https://cdn.example/1.ogg", "audio/ogg"),
        ),
    )
    document = json.loads(FORMATS["json"].render(a_feed(post, site=site)))
    (item,) = document.pop("items")
    assert document == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Kernel — Blog",
        "home_page_url": "https://feeds.example/topics/kernel/",
        "feed_url": "https://feeds.example/feeds/kernel.json",
        "description": "Inside the kernel.",
        "icon": "https://blog.example/logo.png",
        "authors": [{"name": "Ann", "url": "https://blog.example/"}],
        "language": "en-CA",
    }
    assert item == {
        "id": post.id,
        "url": "https://blog.example/blog/1/",
        "title": "Seqlocks",
        "content_html": "<p>An even number means quiet.</p>",
        "summary": "Readers never wait.",
        "image": "https://blog.example/1.png",
        "date_published": "2026-06-30T17:00:00-07:00",
        "date_modified": "2026-06-30T17:00:00-07:00",
        "authors": [{"name": "Ann"}],
        "tags": ["kernel"],
        "language": "de",
        "attachments": [
            {"url": "https://cdn.example/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12345},
            {"url": "https://cdn.example/1.ogg", "mime_type": "audio/ogg"},
        ],
    }


@pytest.mark.parametrize("moment", ["1850-01-01", "0001-01-01", "1999-12-31 23:59:59"])
def test_a_date_of_a_json_feed_has_an_offset_in_whole_minutes(moment: str) -> None:
    feed = a_feed(a_post(published=at(moment)), site=a_site(timezone="America/Vancouver"))
    written = json.loads(FORMATS["json"].render(feed))["items"][0]["date_published"]
    assert datetime.fromisoformat(written) == at(moment)
    assert len(written) == len("2026-06-30T17:00:00-07:00")


def test_a_post_from_elsewhere_names_its_source() -> None:
    feed = CASES["elsewhere"]
    first, second, third = etree.fromstring(FORMATS["atom"].render(feed)).findall("a:entry", ATOM)
    source = first.find("a:source", ATOM)
    assert {child.tag.partition("}")[2]: child.text or child.get("href") for child in source} == {
        "id": "https://guest.example/feed.xml",
        "title": "Guests & co",
        "updated": "2026-03-04T05:06:07+00:00",
        "link": "https://guest.example/feed.xml",
    }
    assert second.findtext("a:source/a:author/a:name", namespaces=ATOM) == "Guests & co"
    assert third.find("a:source", ATOM) is None
    items = etree.fromstring(FORMATS["rss"].render(feed)).findall("channel/item")
    sources = [item.find("source") for item in items]
    assert [(s.text, s.get("url")) for s in sources[:2]] == [("Guests & co", "https://guest.example/feed.xml")] * 2
    assert sources[2] is None


def test_a_post_says_its_language_where_it_is_another_than_the_feeds_and_is_one() -> None:
    feed = CASES["elsewhere"]
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    assert [e.get(lang) for e in etree.fromstring(FORMATS["atom"].render(feed)).findall("a:entry", ATOM)] == ["de-AT", None, None]
    items = etree.fromstring(FORMATS["rss"].render(feed)).findall("channel/item")
    assert [item.findtext(f"{DC}language") for item in items] == ["de-AT", None, None]
    assert [i.get("language") for i in json.loads(FORMATS["json"].render(feed))["items"]] == ["de-AT", None, None]


def test_a_hub_is_named_in_every_format() -> None:
    feed = CASES["elsewhere"]
    assert etree.fromstring(FORMATS["atom"].render(feed)).find("a:link[@rel='hub']", ATOM).get("href") == "https://hub.example/"
    channel = etree.fromstring(FORMATS["rss"].render(feed)).find("channel")
    assert channel.find("a:link[@rel='hub']", ATOM).get("href") == "https://hub.example/"
    assert channel.findtext("link") == feed.home
    assert json.loads(FORMATS["json"].render(feed))["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]


@pytest.mark.parametrize(
    ("interval", "ttl", "period", "frequency"),
    [
        (timedelta(seconds=20), "1", "hourly", "180"),
        (timedelta(minutes=30), "30", "hourly", "2"),
        (timedelta(hours=1), "60", "hourly", "1"),
        (timedelta(hours=3), "180", "daily", "8"),
        (timedelta(days=1), "1440", "daily", "1"),
        (timedelta(days=3), "4320", "weekly", "2"),
        (timedelta(weeks=9), "90720", "weekly", "1"),
    ],
)
def test_a_channel_says_how_often_it_is_worth_asking(interval: timedelta, ttl: str, period: str, frequency: str) -> None:
    channel = etree.fromstring(FORMATS["rss"].render(a_feed(interval=interval))).find("channel")
    syndication = "{http://purl.org/rss/1.0/modules/syndication/}"
    said = [channel.findtext("ttl"), *(channel.findtext(f"{syndication}update{name}") for name in ("Period", "Frequency"))]
    assert said == [ttl, period, frequency]


@pytest.mark.parametrize("suffix", XML)
def test_a_feed_brings_a_stylesheet_and_a_link_for_people(suffix: str) -> None:
    root = etree.fromstring(FORMATS[suffix].render(CASES["ordinary"]))
    instruction = root.getprevious()
    assert (instruction.target, instruction.get("href")) == ("xml-stylesheet", "https://feeds.example/feeds.css")
    (link,) = root.iter("{http://www.w3.org/1999/xhtml}a")
    assert (link.get("href"), link.text) == ("https://feeds.example/topics/kernel/",) * 2


def test_the_stylesheet_shows_nothing_but_what_it_names() -> None:
    css = pages.stylesheet().decode()
    assert "*|* { display: none; }" in css
    assert "url(" not in css


def test_the_topic_is_the_category_of_its_feed() -> None:
    category = etree.fromstring(FORMATS["atom"].render(CASES["elsewhere"])).find("a:category", ATOM)
    assert dict(category.attrib) == {"term": "kernel", "scheme": "https://feeds.example/topics/kernel/", "label": "Kernel"}
    category = etree.fromstring(FORMATS["rss"].render(CASES["elsewhere"])).find("channel/category")
    assert (category.text, category.get("domain")) == ("Kernel", "https://feeds.example/topics/kernel/")


def test_the_subscription_list_has_all_posts_and_the_topics_in_groups() -> None:
    root = etree.fromstring(opml.render(a_site(author="Ann"), entries()))
    assert {child.tag: child.text for child in root.find("head")} == {
        "title": "Topics of Blog",
        "dateModified": "Wed, 04 Mar 2026 00:00:00 GMT",
        "ownerName": "Ann",
        "ownerId": "https://blog.example/",
    }
    groups = root.findall("body/outline")
    assert [(group.get("text"), [child.get("title") for child in group]) for group in groups] == [
        ("Blog", ["All & everything"]),
        ("Topics of Blog", ["Go"]),
    ]
    assert dict(groups[0][0].attrib) == {
        "type": "rss",
        "text": "All & everything",
        "title": "All & everything",
        "description": "<b>",
        "xmlUrl": "https://feeds.example/feeds/all.atom",
        "htmlUrl": "https://feeds.example/topics/all/",
        "category": "all",
        "language": "en",
    }
    assert groups[1][0].get("description") == "Posts on Go from Blog."


def test_the_subscription_list_of_a_blog_without_posts_has_no_date() -> None:
    assert b"dateModified" not in opml.render(a_site(), [replace(entry, newest=None) for entry in entries()])


@pytest.mark.parametrize("title", NASTY)
def test_a_title_of_an_item_is_spelt_so_that_readers_that_decode_twice_show_it(title: str) -> None:
    body = FORMATS["rss"].render(a_feed(a_post(title=title)))
    item = etree.fromstring(body).find("channel/item")
    assert (item.findtext("title"), item.findtext(f"{DC}title")) == (title, title)
    written = body.split(b"<item>")[1].split(b"<title>")[1].split(b"</title>")[0]
    assert not [reference for reference in (b"&lt;", b"&gt;", b"&amp;") if reference in written]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_the_posts_come_in_the_order_of_the_feed(suffix: str, case: str) -> None:
    drafts = drafts_of(FORMATS[suffix].render(CASES[case]), f"https://feeds.example/feeds/kernel.{suffix}")
    assert [draft.guid for draft in drafts] == [post.id for post in CASES[case].posts]


def test_the_updated_of_a_feed_is_that_of_its_value() -> None:
    feed = a_feed(a_post(), updated=at("2026-03-07 08:09:10"))
    assert etree.fromstring(FORMATS["atom"].render(feed)).findtext("a:updated", namespaces=ATOM) == "2026-03-07T08:09:10+00:00"
    assert etree.fromstring(FORMATS["rss"].render(feed)).findtext("channel/lastBuildDate") == "Sat, 07 Mar 2026 08:09:10 +0000"


# -- laws over any post that intake could make --------------------------------------------------------------------------

lines = st.text(st.characters(), max_size=40).map(one_line)
html = st.text(st.characters(), max_size=60).map(lambda text: sanitise(text, "https://blog.example/")).map(xml_safe)
moments = st.integers(0, 2_000_000_000).map(lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@st.composite
def posts(draw: st.DrawFn) -> Post:
    published = draw(moments)
    return a_post(
        title=draw(lines.filter(bool)),
        summary=draw(html),
        content=draw(html),
        authors=tuple(Person(name) for name in draw(st.lists(lines.filter(bool), max_size=3, unique=True))),
        tags=tuple(draw(st.lists(lines.filter(bool), max_size=3, unique=True))),
        published=published,
        updated=published + timedelta(seconds=draw(st.integers(0, 10**6))),
    )


def renumbered(drawn: list[Post]) -> Feed:
    return a_feed(
        *(replace(p, id=f"tag:blog.example,2026:{n}", url=f"https://blog.example/{n}/?a=1&b=2") for n, p in enumerate(drawn))
    )


@given(st.lists(posts(), max_size=3))
def test_rendering_twice_gives_equal_bytes(drawn: list[Post]) -> None:
    feed = renumbered(drawn)
    for form in FORMATS.values():
        assert form.render(feed) == form.render(feed)
    assert pages.topic_page(feed) == pages.topic_page(feed)


@given(st.lists(posts(), max_size=3))
@pytest.mark.parametrize("suffix", FORMATS)
def test_what_was_written_reads_as_it_was(suffix: str, drawn: list[Post]) -> None:
    feed = renumbered(drawn)
    body = FORMATS[suffix].render(feed)
    if suffix == "json":
        items = json.loads(body)["items"]
        read = [(i["id"], i["title"], i["url"], i.get("tags", [])) for i in items]
    elif suffix == "rss":
        root = etree.fromstring(body)
        items = root.findall("channel/item")
        read = [
            (i.findtext("guid"), i.findtext("title"), i.findtext("link"), [c.text for c in i.findall("category")]) for i in items
        ]
    else:
        root = etree.fromstring(body)
        read = [
            (
                e.findtext("a:id", namespaces=ATOM),
                e.findtext("a:title", namespaces=ATOM),
                e.find("a:link", ATOM).get("href"),
                [c.get("term") for c in e.findall("a:category", ATOM)],
            )
            for e in root.findall("a:entry", ATOM)
        ]
    assert read == [(post.id, post.title, post.url, list(post.tags)) for post in feed.posts]


@given(st.lists(posts(), max_size=3))
@pytest.mark.parametrize("suffix", FORMATS)
def test_our_own_reader_finds_the_same_posts(suffix: str, drawn: list[Post]) -> None:
    feed = renumbered(drawn)
    drafts = drafts_of(FORMATS[suffix].render(feed), f"https://feeds.example/feeds/kernel.{suffix}")
    assert [(d.guid, d.url, d.published) for d in drafts] == [(p.id, p.url, p.published) for p in feed.posts]
    if suffix != "rss":
        assert [d.updated for d in drafts] == [p.updated for p in feed.posts]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "title", ["Seqlocks", "chan<- T & <select>", "a < b && c > d", "内核 🐧 naïve", "\"quotes\" & 'apostrophes'", "C++"]
)
def test_our_own_reader_finds_the_same_titles_and_tags(title: str, suffix: str) -> None:
    feed = a_feed(a_post(title=title, tags=("R&D", "c++", "内核")))
    (draft,) = drafts_of(FORMATS[suffix].render(feed), f"https://feeds.example/feeds/kernel.{suffix}")
    assert (draft.title, draft.tags) == (title, ("R&D", "c++", "内核"))


@pytest.mark.parametrize("title", NASTY)
@pytest.mark.parametrize("suffix", ["atom", "json"])
def test_our_own_reader_finds_any_title_of_a_format_whose_titles_are_text(title: str, suffix: str) -> None:
    (draft,) = drafts_of(FORMATS[suffix].render(a_feed(a_post(title=title))), f"https://feeds.example/feeds/kernel.{suffix}")
    assert draft.title == title


# -- pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", NASTY)
def test_a_page_shows_titles_as_they_are(title: str) -> None:
    tree = LexborHTMLParser(pages.topic_page(a_feed(a_post(title=title, authors=(Person(title),)), title=title, description=title)))
    link = tree.css_first("main h2 a")
    assert (link.text(), link.attributes["href"]) == (title, "https://blog.example/blog/seqlocks/")
    assert tree.css_first("h1").text() == tree.css_first("title").text() == tree.css_first(".lead").text() == title
    assert not tree.css("script")


def test_a_page_offers_every_format_for_discovery_and_for_copying() -> None:
    tree = LexborHTMLParser(pages.topic_page(CASES["ordinary"]))
    offered = {(link.attributes["type"], link.attributes["href"]) for link in tree.css("link[rel=alternate]")}
    assert offered == {(form.media_type, f"https://feeds.example/feeds/kernel.{suffix}") for suffix, form in FORMATS.items()}
    assert {code.text() for code in tree.css(".subscribe code")} == set(CASES["ordinary"].urls.values())


def test_a_page_dates_posts_where_the_blog_lives() -> None:
    site = a_site(timezone="America/Vancouver")
    tree = LexborHTMLParser(pages.topic_page(a_feed(a_post(published=at("2026-03-04 05:06:07")), site=site)))
    time = tree.css_first("time")
    assert (time.text(), time.attributes["datetime"]) == ("2026-03-03", "2026-03-04T05:06:07+00:00")


def entries() -> list[directory.Entry]:
    feeds = {suffix: f"https://feeds.example/feeds/all.{suffix}" for suffix in FORMATS}
    return [
        directory.Entry("all", "All & everything", "<b>", "https://feeds.example/topics/all/", feeds, 1, at("2026-03-04")),
        directory.Entry(
            "go", "Go", "", "https://feeds.example/topics/go/", {"atom": "https://feeds.example/feeds/go.atom"}, 0, None
        ),
    ]


def test_the_directory_lists_every_topic_and_offers_the_feed_of_all() -> None:
    tree = LexborHTMLParser(pages.index_page(a_site(), entries()))
    assert [(a.text(), a.attributes["href"]) for a in tree.css("h2 a")] == [
        ("All & everything", "https://feeds.example/topics/all/"),
        ("Go", "https://feeds.example/topics/go/"),
    ]
    offered = {link.attributes["href"] for link in tree.css("link[rel=alternate]")}
    assert offered == {*entries()[0].feeds.values(), "https://feeds.example/feeds.opml"}
    assert [p.text() for p in tree.css("li .meta")] == ["1 post, newest 2026-03-04", "0 posts"]


def test_the_directory_for_programs_says_the_same() -> None:
    document = json.loads(directory.topics_json(a_site(), entries()))
    assert document["opml"] == "https://feeds.example/feeds.opml"
    assert document["site"] == {"title": "Blog", "home": "https://blog.example/"}
    assert document["topics"][0] == {
        "slug": "all",
        "title": "All & everything",
        "description": "<b>",
        "page": "https://feeds.example/topics/all/",
        "feeds": dict(entries()[0].feeds),
        "revised": None,
        "posts": 1,
        "newest": "2026-03-04T00:00:00+00:00",
    }
    assert document["topics"][1]["newest"] is None
