"""Topics that a publication's unclaimed posts and tags call for: what is suggested, and that it does what it says when pasted."""

import json
import re
from datetime import timedelta

import pytest

from feeds.model import ALL, Topic
from feeds.settings import load
from feeds.topics.propose import propose_topics
from feeds.topics.suggest import Known, suggest
from tests.builders import a_draft, a_post, a_topic
from tests.conftest import open_pipeline, topicfeeds, write_config
from tests.fakes import NOW, Item, Time, rss

GO = a_topic(slug="go", title="Go", tags=["go"], title_terms=["goroutine"])


def posts(*described):
    """Posts of ``(title, tags)``."""
    return [a_post(id=f"p{n}", title=title, summary="", content="", tags=tuple(tags)) for n, (title, tags) in enumerate(described)]


def suggested(found, *, within=(), topics=(GO,), slugs=(ALL, "go"), named=None):
    """``within`` are the numbers of the posts that are in a topic."""
    sorted_posts = [(post, ("go",) if n in within else ()) for n, post in enumerate(found)]
    return suggest(Known(sorted_posts, topics, slugs, named or {}, "en"))


OTHERS = [(title, ()) for title in ("Sailing", "Gardening", "Cooking", "Painting", "Singing")]


def test_tags_that_no_topic_has_are_suggested_with_every_post_that_carries_them():
    found = posts(("Vacuum", ["Postgres"]), ("Indexes", ["postgres"]), ("A goroutine", ["go", "Postgres"]), *OTHERS)
    (suggestion,) = suggested(found, within=[2])
    assert suggestion.topic.slug == "postgres"
    assert set(suggestion.topic.tags) == {"Postgres", "postgres"}
    assert [post.title for post in suggestion.posts] == ["Vacuum", "Indexes", "A goroutine"]
    assert suggestion.unclaimed == {"p0", "p1"}


def test_tags_that_a_topic_has_and_subjects_that_are_like_a_topic_are_not_suggested():
    found = posts(*((f"Goroutine {n}", ["go", "golang"]) for n in range(3)), *OTHERS)
    assert suggested(found, within=[0, 1, 2]) == ()


def test_a_tag_counts_as_claimed_though_its_topic_needs_more():
    needing = a_topic(slug="go", title="Go", tags=["scheduling"], needs=["go"])
    found = posts(("Trains", ["scheduling"]), ("Buses", ["scheduling"]), *OTHERS)
    assert suggested(found, topics=(needing,)) == ()


def test_without_tags_phrases_of_unclaimed_posts_are_suggested_and_those_of_claimed_posts_are_not():
    found = posts(*((f"Write-ahead log {n}", ()) for n in range(2)), *((f"Busy goroutine {n}", ()) for n in range(2)), *OTHERS)
    titles = [suggestion.topic.title for suggestion in suggested(found, within=[2, 3])]
    assert any("log" in title.lower() for title in titles)
    assert not any("goroutine" in title.lower() for title in titles)


def test_topics_that_gather_more_unclaimed_posts_come_first():
    found = posts(*((f"a{n}", ["One"]) for n in range(4)), *((f"b{n}", ["Two"]) for n in range(3)), *OTHERS)
    assert [suggestion.topic.title for suggestion in suggested(found, within=[0, 1])] == ["Two", "One"]


def test_slugs_that_are_or_were_in_use_are_not_given_again_and_the_owner_names_other_scripts():
    found = posts(*((f"a{n}", ["Postgres"]) for n in range(2)), *((f"b{n}", ["内核"]) for n in range(3)), *OTHERS)
    slugs = [s.topic.slug for s in suggested(found, slugs=(ALL, "go", "postgres"), named={"内核": "kernel"})]
    assert slugs == ["kernel", "postgres-2"]
    unnamed = suggested(found)[0]
    assert (unnamed.topic.slug, "Latin letters" in unnamed.remark) == ("topic-1", True)


@pytest.mark.parametrize("tag", ["node.*", "std::*", "c*", "*", "/(/", "//", "[x", "a*b", "\\d+", "(?i)"])
def test_whatever_an_author_calls_a_tag_is_suggested_as_that_tag_or_not_at_all(tag):
    cats = [("Cats", ["cats"]), ("Nodes", ["nodes"])]
    found = posts(*((f"a{n}", [tag]) for n in range(3)), *cats, *OTHERS)
    for suggestion in suggested(found):
        assert {post.tags for post in suggestion.posts} == {(tag,)}
        load_topic(suggestion.topic)
    propose_topics([a_draft(title=post.title, tags=post.tags, summary="", content="") for post in found])


def test_a_tag_between_slashes_is_no_regular_expression():
    found = posts(*((f"a{n}", ["/r/rust/"]) for n in range(3)), ("Or", ["or/rustic"]), *OTHERS)
    (suggestion,) = suggested(found)
    assert (suggestion.topic.tags, suggestion.topic.title_terms) == (("/r/rust/",), ())
    assert [post.title for post in suggestion.posts] == ["a0", "a1", "a2"]


def load_topic(topic):
    """As it is read when it stands in a configuration."""
    return Topic.model_validate(topic.model_dump(mode="json"))


# -- the commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def blog_of_tags(tmp_path, origin):
    """A configuration with one topic over a blog whose authors use a tag that no topic has; the folder that it is in."""
    tagged = [
        Item(f"/p/{n}/", f'Vacuum "{n}" \\ ]] """', published=NOW - timedelta(days=n), tags=("Post\\gres",)) for n in range(4)
    ]
    others = [Item(f"/o/{n}/", f"Goroutine {n}", published=NOW - timedelta(days=40 + n), tags=("go",)) for n in range(6)]
    origin.put("/index.xml", rss("https://blog.example", *tagged, *others))
    topics = [{"slug": "go", "title": "Go", "tags": ["go"], "aliases": ["golang"]}]
    pipeline = open_pipeline(load_from(tmp_path, origin, topics), Time())
    pipeline.refresh("blog")
    pipeline.close()
    return tmp_path


def load_from(folder, origin, topics):
    return load(write_config(folder, origin.url, topics=topics), environ={})


def test_what_is_suggested_can_be_pasted_and_gathers_the_posts_that_it_named(blog_of_tags):
    done = topicfeeds("topics", "suggest", folder=blog_of_tags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# 4 of the newest 10 posts are in no topic")
    (listed,) = json.loads(topicfeeds("topics", "suggest", "--json", folder=blog_of_tags).stdout)
    config = blog_of_tags / "topicfeeds.toml"
    config.write_text(f"{config.read_text()}\n{done.stdout}")
    assert "2 topics" in topicfeeds("check", folder=blog_of_tags).stdout
    preview = topicfeeds("preview", "--json", folder=blog_of_tags)
    assert preview.returncode == 3
    (change,) = json.loads(preview.stdout)["feeds"]
    assert (change["slug"], change["status"]) == (listed["slug"], "new")
    assert {entry["title"] for entry in change["appear"]} == {post["title"] for post in listed["posts"]}
    assert re.match(r"\d+ documents published: ", topicfeeds("apply", folder=blog_of_tags).stdout)
    assert "# 0 of the newest 10 posts" in topicfeeds("topics", "suggest", folder=blog_of_tags).stdout


def test_suggestions_that_are_left_out_are_counted(tmp_path, origin):
    tags = [f"{a}{b}" for a in ("hydro", "aero", "geo") for b in ("logy", "graphy", "metry", "phones")][:10]
    items = [Item(f"/p/{tag}/{n}/", f"{n}", published=NOW - timedelta(days=n), tags=(tag,)) for tag in tags for n in (1, 2)]
    origin.put("/index.xml", rss("https://blog.example", *items))
    pipeline = open_pipeline(load_from(tmp_path, origin, [{"slug": "go", "title": "Go", "tags": ["go"]}]), Time())
    pipeline.refresh("blog")
    pipeline.close()
    text = topicfeeds("topics", "suggest", folder=tmp_path).stdout
    assert "; 10 topics suggest themselves.\n" in text
    assert text.count("[[topics]]") == 8
    assert text.splitlines()[-1].startswith("# 2 more, ")
    assert len(json.loads(topicfeeds("topics", "suggest", "--json", folder=tmp_path).stdout)) == 10


def test_the_listing_has_posts_newest_and_the_share_of_posts_in_no_topic(blog_of_tags):
    lines = topicfeeds("topics", folder=blog_of_tags).stdout.splitlines()
    go = next(line for line in lines if line.startswith("Go "))
    assert go.split()[:4] == ["Go", "6", f"{NOW - timedelta(days=40):%Y-%m-%d}", "https://feeds.example/feeds/go.atom"]
    assert "4 of 10 posts (40 %) are in no topic" in lines


def test_before_the_first_refresh_there_is_nothing_to_suggest(tmp_path, origin):
    load_from(tmp_path, origin, [{"slug": "go", "title": "Go", "tags": ["go"]}])
    done = topicfeeds("topics", "suggest", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "# 0 of the newest 0 posts are in no topic; 0 topics suggest themselves.\n")
    assert "No posts are stored yet" in topicfeeds("preview", folder=tmp_path).stdout
    assert topicfeeds("topics", folder=tmp_path).returncode == 0


# -- taking a configuration into service -------------------------------------------------------------------------------


def test_a_topic_that_is_removed_is_an_error_until_it_is_retired_or_an_alias(blog_of_tags, origin):
    fresh = {"slug": "gophers", "title": "Gophers", "tags": ["go"]}
    load_from(blog_of_tags, origin, [fresh])
    for command in (["check"], ["apply"], ["refresh"], ["serve"], ["publish"]):
        done = topicfeeds(*command, folder=blog_of_tags)
        assert (command, done.returncode) == (command, 2)
        assert "topics: 'go' was published and is in the configuration no more" in done.stderr
        assert "Traceback" not in done.stderr
    pasted = "\n".join(line.strip() for line in done.stderr.partition("[[topics]]")[2].splitlines())
    config = blog_of_tags / "topicfeeds.toml"
    config.write_text(f"{config.read_text()}\n[[topics]]\n{pasted}\n")
    assert topicfeeds("check", folder=blog_of_tags).returncode == 0
    load_from(blog_of_tags, origin, [{**fresh, "aliases": ["go"]}])
    assert topicfeeds("check", folder=blog_of_tags).returncode == 0


def test_a_configuration_is_taken_into_service_without_fetching(blog_of_tags, origin):
    load_from(blog_of_tags, origin, [{"slug": "go", "title": "Go", "tags": ["go", "Post\\gres"]}])
    asked = len(origin.requests)
    done = topicfeeds("apply", folder=blog_of_tags)
    assert done.returncode == 0, done.stderr
    assert len(origin.requests) == asked
    assert topicfeeds("preview", folder=blog_of_tags).stdout == "Subscribers would see no change.\n"
    assert topicfeeds("apply", folder=blog_of_tags).stdout == "nothing published: every feed and page is as it was\n"
    assert "0 of 10 posts (0 %)" in topicfeeds("topics", folder=blog_of_tags).stdout
