"""Discovery: what pages give away, which topics follow from posts, and `init` end to end against the sample blog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from feeds.asking.fetch import Fetcher
from feeds.console.discovery import MOST_REQUESTS, Visit, survey
from feeds.console.findings import finding_of, zone_of
from feeds.console.init_command import InitError, init
from feeds.console.starter import Starter, write_toml
from feeds.errors import FetchError
from feeds.model import Document, Draft, Source
from feeds.operation import Fetching
from feeds.running.sample import SampleBlog
from feeds.settings import bundled, load
from feeds.slugs import slug_of
from feeds.sources.discover import Home, read_home, sitemaps_in, well_known_feeds
from feeds.sources.repetition import find_listing
from feeds.topics.propose import MOST_TOPICS, propose_topics

DATA = Path(__file__).parent / "data" / "discover"
HOME = "https://blog.example/"


def page(name: str) -> Document:
    return Document(HOME, (DATA / f"{name}.html").read_bytes(), "text/html")


def draft(title: str, *tags: str, path: str = "", raw: str = "", published: datetime | None = None) -> Draft:
    return Draft(url=f"{HOME}{path or slug_of(title)}", title=title, tags=tags, published=published, published_raw=raw)


# -- what pages give away ----------------------------------------------------------------------------------------------


def test_wordpress_is_known_by_its_api_link_and_its_main_feed_comes_before_the_comments() -> None:
    home = read_home(page("wordpress"))
    assert home.wordpress == f"{HOME}wp-json/wp/v2/posts"
    assert [lead.url for lead in home.feeds] == [f"{HOME}feed/", f"{HOME}comments/feed/"]
    assert (home.title, home.language) == ("Kernnotizen", "de-DE")


def test_ghost_is_known_by_its_generator_and_a_blog_section_by_its_link() -> None:
    home = read_home(page("ghost"))
    assert home.ghost
    assert not home.wordpress
    assert home.sections == (f"{HOME}blog/",)


def test_a_list_of_cards_is_described_by_selectors_and_the_navigation_is_not() -> None:
    listing = find_listing(page("cards"))
    assert listing is not None
    assert (listing.item, listing.link, listing.title) == ("div.card", "h3 a[href]", "h3")
    assert (listing.date, listing.summary, listing.next) == ("span.posted", "p.teaser", "a.older")


def test_a_page_with_navigation_only_lists_no_posts() -> None:
    assert find_listing(page("bare")) is None


def test_robots_names_sitemaps_in_any_case_and_relative_ones_too() -> None:
    assert sitemaps_in("User-agent: *\nSITEMAP: /a.xml\nsitemap:https://b.example/b.xml\n", HOME) == (
        f"{HOME}a.xml",
        "https://b.example/b.xml",
    )


def test_usual_feed_places_are_tried_below_the_home_page_before_the_root() -> None:
    urls = [lead.url for lead in well_known_feeds(f"{HOME}blog/")]
    assert urls[0] == f"{HOME}blog/index.xml"
    assert f"{HOME}index.xml" in urls


# -- what a source would give ------------------------------------------------------------------------------------------


def test_a_feed_that_lists_projects_as_well_is_narrowed_to_the_blog() -> None:
    drafts = [draft(f"Post {n}", path=f"blog/{n}/") for n in range(4)] + [draft("A project", path="projects/x/")]
    assert finding_of(Source(id="blog", url=HOME), "", drafts).source.include == ("/blog/*",)


def test_a_feed_of_posts_alone_is_not_narrowed() -> None:
    drafts = [draft(f"Post {n}", path=f"blog/{n}/") for n in range(4)]
    assert finding_of(Source(id="blog", url=HOME), "", drafts).source.include == ()


def test_a_sitemap_of_years_and_tags_is_narrowed_to_the_years() -> None:
    drafts = [draft("", path=f"20{n}/01/x/") for n in range(10, 14)] + [draft("", path=f"tags/{n}/") for n in range(9)]
    assert finding_of(Source(id="blog", kind="sitemap", url=HOME), "", drafts).source.include == ("/[12][0-9][0-9][0-9]/*",)


def test_a_feed_without_tags_is_enriched_and_a_tagged_one_is_not() -> None:
    assert finding_of(Source(id="blog", url=HOME), "", [draft("A")]).source.enrich
    assert not finding_of(Source(id="blog", url=HOME), "", [draft("A", "go")]).source.enrich


def test_the_zone_follows_from_summer_and_winter_offsets_and_the_language_s_country() -> None:
    summer = draft("A", raw="Tue, 09 Jun 2026 09:00:00 -0700", published=datetime(2026, 6, 9, 16, tzinfo=UTC))
    winter = draft("B", raw="Fri, 09 Jan 2026 09:00:00 -0800", published=datetime(2026, 1, 9, 17, tzinfo=UTC))
    assert zone_of([summer, winter], "en-CA") == "America/Vancouver"
    assert zone_of([summer, winter], "en-US") == "America/Los_Angeles"
    assert zone_of([draft("C", raw="2026-06-09", published=datetime(2026, 6, 9, 12, tzinfo=UTC))]) == ""


# -- topics ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("C++", "cpp"),
        ("C#", "csharp"),
        (".NET", "dotnet"),
        ("Élan vital", "elan-vital"),
        ("R & D", "r-and-d"),
        ("All", "all-posts"),
        ("内核", ""),
        ("!?", ""),
    ],
)
def test_slugs_are_ascii(title: str, slug: str) -> None:
    assert slug_of(title) == slug


def test_tags_are_folded_by_case_and_plural_and_one_on_nearly_all_posts_is_no_topic() -> None:
    tags = [("Tech", "Goroutine"), ("Tech", "goroutines"), ("Tech", "eBPF"), ("Tech", "eBPF"), ("Tech", "Once"), ("Tech",)]
    proposals = propose_topics([draft(f"Post {n}", *names) for n, names in enumerate(tags)])
    assert [proposal.topic.slug for proposal in proposals] == ["ebpf", "goroutine"]
    assert set(proposals[1].topic.tags) == {"Goroutine", "goroutines"}


def test_a_tag_in_another_script_gets_a_numbered_slug_and_a_remark() -> None:
    (proposal,) = propose_topics([draft(f"Post {n}", *(["内核"] if n < 2 else ["x"])) for n in range(3)])
    assert (proposal.topic.slug, proposal.topic.title) == ("topic-1", "内核")
    assert proposal.remark


def test_without_tags_the_phrases_that_titles_share_are_proposed() -> None:
    titles = [
        "A memory model for Go",
        "What the memory model allows",
        "Memory model tests",
        "Raft in practice",
        "Why Raft reads are slow",
    ]
    proposals = propose_topics([draft(title) for title in [*titles, "Cooking", "Gardening", "Sailing", "Painting", "Singing"]])
    assert [proposal.topic.slug for proposal in proposals] == ["memory-model", "raft"]


def test_the_same_posts_give_the_same_topics_and_never_more_than_eight() -> None:
    drafts = [draft(f"Post {n}", *(f"tag{n % m}m{m}" for m in range(2, 9))) for n in range(40)]
    assert propose_topics(drafts) == propose_topics(drafts)
    assert len(propose_topics(drafts)) == MOST_TOPICS


def test_whatever_a_site_calls_itself_the_file_is_sound(tmp_path: Path) -> None:
    nasty = 'A "title" \\ with\n[tables] and \x7f\x00 # signs'
    drafts = [draft(nasty + str(n), nasty) for n in range(2)] + [draft("z", "y")]
    finding = finding_of(Source(id="blog", url=HOME), nasty, drafts)
    home = Home(HOME, title=nasty, description=nasty, author=nasty)
    text = write_toml(Starter(home, finding, [finding], drafts, propose_topics(drafts), "", 0, [nasty]))
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    assert load(tmp_path / "t.toml", environ={}).site.title.startswith('A "title"')


# -- the whole way -----------------------------------------------------------------------------------------------------


@pytest.fixture
def blog() -> Iterator[SampleBlog]:
    blog = SampleBlog(bundled() / "sample-blog")
    blog.start()
    yield blog
    blog.shutdown()
    blog.server_close()


def fetcher_for(blog: SampleBlog, folder: Path) -> Fetcher:
    return Fetcher(Fetching(timeout="5s"), cache=folder / "cache.sqlite", own=[blog.origin])


def run(blog: SampleBlog, folder: Path, *, force: bool = False) -> str:
    console = Console(file=StringIO(), width=200)
    output = folder / "topicfeeds.toml"
    fetcher = fetcher_for(blog, folder)
    init(blog.origin + "/", output=output, yes=True, force=force, fetcher=fetcher, console=console, pace=timedelta(0))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_init_writes_a_sound_configuration_of_the_sample_blog(blog: SampleBlog, tmp_path: Path) -> None:
    said = run(blog, tmp_path)
    settings = load(tmp_path / "topicfeeds.toml", environ={})
    (source,) = settings.sources
    assert (source.kind, source.url) == ("feed", f"{blog.origin}/index.xml")
    assert source.include == ("/blog/*",)
    assert source.enrich
    assert (settings.site.language, settings.site.timezone) == ("en-CA", "America/Vancouver")
    assert {"go", "goroutines"} <= {topic.slug for topic in settings.topics}
    assert "32 posts of 37 under /blog/*" in said


def test_init_refuses_to_overwrite_unless_told_to(blog: SampleBlog, tmp_path: Path) -> None:
    file = tmp_path / "topicfeeds.toml"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(InitError, match="--force"):
        run(blog, tmp_path)
    assert file.read_text(encoding="utf-8") == "mine"
    run(blog, tmp_path, force=True)
    assert load(file, environ={}).sources


def test_discovery_stays_within_its_budget_and_paces_itself(blog: SampleBlog, tmp_path: Path) -> None:
    pauses: list[float] = []
    visit = Visit(fetcher_for(blog, tmp_path), timedelta(seconds=2), sleep=pauses.append)
    survey(blog.origin + "/", visit)
    assert 0 < visit.left < MOST_REQUESTS
    assert pauses == [2.0] * (MOST_REQUESTS - visit.left - 1)


def test_a_host_that_is_not_there_is_asked_once(tmp_path: Path) -> None:
    visit = Visit(Fetcher(Fetching(timeout="1s"), cache=tmp_path / "c.sqlite", own=["http://127.0.0.1:9"]), timedelta(0))
    for path in ("a", "b", "c"):
        with pytest.raises(FetchError):
            visit.get(f"http://127.0.0.1:9/{path}")
    assert visit.left == MOST_REQUESTS - 1


def test_a_site_that_cannot_be_reached_is_said_to_be(tmp_path: Path) -> None:
    fetcher = Fetcher(Fetching(timeout="1s"), cache=tmp_path / "c.sqlite", own=["http://127.0.0.1:9"])
    with pytest.raises(InitError, match="cannot be looked at"):
        init(
            "http://127.0.0.1:9/",
            output=tmp_path / "t.toml",
            yes=True,
            force=False,
            fetcher=fetcher,
            console=Console(file=StringIO()),
        )
    assert not (tmp_path / "t.toml").exists()
