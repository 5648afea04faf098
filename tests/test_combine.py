"""The feeds of combined topics: the right posts, the same bytes everywhere and always, and what they say of themselves."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from feeds.model import Membership, Origin
from feeds.publishing import build
from feeds.serving.combine import Combiner, render
from feeds.serving.renderer import Failure, Publisher, Question, Rendered
from feeds.store import TopicRow, open_store
from feeds.store.migrate import open_migrated
from feeds.store.selections import newest_of
from feeds.topics.lifecycle import Standing
from feeds.topics.selection import Selection, canonical, evaluate, parse, resolve
from tests.builders import NOW, a_post, a_site, a_topic, at

SLUGS = ("assembly", "ebpf", "kernel")
TITLES = {"assembly": "Assembly walkthroughs", "ebpf": "eBPF", "kernel": "Kernel internals"}
NAMES = {"assembly": "assembly walkthroughs", "kernel": "kernel internals"}
TOPICS = tuple(a_topic(slug=slug, title=TITLES[slug], name=NAMES.get(slug, "")) for slug in SLUGS)
PUBLISHER = Publisher(a_site(items=50), TOPICS, "")
MEMBERSHIPS = [some for n in range(4) for some in itertools.combinations(SLUGS, n)]


def fill(store, memberships=MEMBERSHIPS):
    """A post for each set of topics, each an hour older than the one before."""
    with store.writing() as transaction:
        keep(transaction, *SLUGS)
        for n, topics in enumerate(memberships):
            add(transaction, n, topics)
    return store


def keep(transaction, *slugs, former=None):
    rows = {slug: TopicRow(f"tag:blog.example,2026-03-01:topics/{slug}", "") for slug in ("all", *slugs)}
    transaction.keep_topics(rows, at("2026-03-01"), former=former)


def add(transaction, n, topics, *, held=False, **values):
    post = a_post(**{"id": f"post-{n}", "published": at("2026-03-04") - timedelta(hours=n), "title": f"{n} {topics}", **values})
    transaction.learn({post.id: post.id}, NOW)
    transaction.save_post(post, held=held)
    transaction.save_memberships(post.id, [Membership(topic, 2.0, ()) for topic in topics])
    return post


@pytest.fixture
def filled(store):
    return fill(store)


def made(store, written, suffix="atom", **values):
    answer = render(PUBLISHER._replace(**values), store, Question(resolve(parse(written), SLUGS), suffix, None), now=NOW)
    assert isinstance(answer, Rendered), answer
    return answer


def atom(rendered):
    return etree.fromstring(rendered.publication.codings["identity"])


def said(rendered, path):
    return atom(rendered).findtext(path, namespaces={"": "http://www.w3.org/2005/Atom"})


def ids(rendered):
    return [each.text for each in atom(rendered).iterfind("{*}entry/{*}id")]


# -- the right posts ---------------------------------------------------------------------------------------------------

slugs = st.sampled_from([*SLUGS, "all"])
groups = st.lists(st.lists(slugs, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)
selections = st.builds(Selection, groups, st.lists(slugs, max_size=2).map(tuple)).map(canonical).filter(lambda s: s.any_of)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(selection=selections)
def test_the_store_selects_what_the_algebra_says(filled, selection):
    expected = [f"post-{n}" for n, topics in enumerate(MEMBERSHIPS) if evaluate(selection, topics)]
    assert [post.id for post in newest_of(filled, selection, limit=50)] == expected


def test_no_more_than_the_newest(filled):
    assert [post.id for post in newest_of(filled, parse("all,-ebpf"), limit=2)] == ["post-0", "post-1"]
    assert ids(made(filled, "-ebpf", site=a_site(items=2))) == ["post-0", "post-1"]


def test_what_is_held_or_withdrawn_is_in_no_combination(filled):
    with filled.writing() as transaction:
        add(transaction, 100, ("kernel",), held=True)
        transaction.withdraw(["post-3"], NOW)
    assert {"post-3", "post-100"}.isdisjoint(ids(made(filled, "ebpf,kernel")))


def test_a_post_that_cannot_be_published_is_left_out_of_it(filled):
    with filled.writing() as transaction:
        add(transaction, 200, ("kernel",), url="ftp://nowhere.example/")
    assert "post-200" not in ids(made(filled, "ebpf,kernel"))
    assert "post-3" in ids(made(filled, "ebpf,kernel"))


def test_a_post_whose_id_was_never_minted_is_left_out_of_it(filled):
    with filled.writing() as transaction:
        transaction.save_post(a_post(id="nobody"), held=False)
    assert "nobody" not in ids(made(filled, "all,-ebpf"))


def test_a_combination_without_posts_is_a_valid_empty_feed(store):
    with store.writing() as transaction:
        keep(transaction, *SLUGS)
    assert ids(made(store, "ebpf+kernel")) == []
    assert said(made(store, "ebpf+kernel"), "updated") == "2026-03-01T00:00:00+00:00"


# -- what it says of itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "title", "description"),
    [
        ("kernel,ebpf,-assembly", "eBPF or kernel internals, without assembly walkthroughs", "Posts on {}, from Blog."),
        ("ebpf+kernel,assembly", "Assembly walkthroughs, or eBPF and kernel internals", None),
        ("-kernel", "All posts, without kernel internals", "{}, from Blog."),
    ],
)
def test_title_and_description(filled, written, title, description):
    rendered = made(filled, written)
    assert said(rendered, "title") == f"{title} — Blog"
    if description:
        assert said(rendered, "subtitle") == description.format(title)
    else:
        assert said(rendered, "subtitle") == "Posts on assembly walkthroughs, or eBPF and kernel internals, from Blog."


def test_it_names_its_own_address(filled):
    rendered = made(filled, "kernel,ebpf")
    assert rendered.publication.path == "/feeds/ebpf,kernel.atom"
    assert ("Link", '<https://feeds.example/feeds/ebpf,kernel.atom>; rel="self"') in rendered.publication.headers
    assert atom(rendered).find("{*}link[@rel='self']").get("href") == "https://feeds.example/feeds/ebpf,kernel.atom"


def test_it_names_the_sources_of_posts_from_elsewhere_and_its_rhythm_as_a_topic_does(store):
    with store.writing() as transaction:
        keep(transaction, *SLUGS)
        add(transaction, 1, ["ebpf"], source="other", url="https://other.example/1/")
    publisher = {"origins": (("other", Origin("Other", "https://other.example/feed")),), "interval": timedelta(hours=6)}
    source = atom(made(store, "ebpf,kernel", **publisher)).find("{*}entry/{*}source")
    assert (source.findtext("{*}title"), source.findtext("{*}id")) == ("Other", "https://other.example/feed")
    rss = atom(made(store, "ebpf,kernel", "rss", **publisher))
    assert (rss.findtext(".//item/source"), rss.findtext(".//ttl")) == ("Other", "360")


def test_no_link_of_it_is_its_base(filled):
    """Which would be a link to the document itself (RFC 3986 section 4.4)."""
    root = atom(made(filled, "ebpf,kernel"))
    base = root.get("{http://www.w3.org/XML/1998/namespace}base")
    assert base == "https://blog.example/"
    assert base not in {link.get("href") for link in root.iterfind("{*}link")}


def test_its_id_is_its_own_and_outlives_renaming_a_topic(filled):
    before = {
        written: said(made(filled, written), "id") for written in ("ebpf,kernel", "ebpf+kernel", "ebpf,-kernel", "all,-kernel")
    }
    assert len(set(before.values())) == 4
    assert all(each.startswith("tag:blog.example,2026-03-01:combinations/") for each in before.values())
    with filled.writing() as transaction:
        keep(transaction, "assembly", "a-new-name", "kernel", former={"ebpf": Standing("former", "a-new-name")})
    topics = tuple(replace_slug(topic) for topic in TOPICS)
    selection = resolve(parse("ebpf,kernel"), ["a-new-name", "kernel"], aliases={"ebpf": "a-new-name"})
    renamed = render(PUBLISHER._replace(topics=topics), filled, Question(selection, "atom", None), now=NOW)
    assert said(renamed, "id") == before["ebpf,kernel"]


def test_a_topic_that_only_the_store_knows_is_called_as_the_store_calls_it(filled):
    with filled.writing() as transaction:
        ids_of = {slug: f"tag:blog.example,2026-03-01:topics/{slug}" for slug in ("all", "assembly", "kernel", "bpf", "locks")}
        rows = {slug: TopicRow(feed_id, "", {"bpf": "BPF"}.get(slug, "")) for slug, feed_id in ids_of.items()}
        transaction.keep_topics(rows, NOW, former={"ebpf": Standing("former", "bpf")})

    def combined(written, **values):
        selection = resolve(parse(written), [*rows], aliases={"ebpf": "bpf"})
        return atom(render(PUBLISHER._replace(**values), filled, Question(selection, "atom", None), now=NOW))

    assert combined("ebpf,kernel").findtext("{*}title").startswith("BPF or kernel internals — ")
    assert combined("locks,kernel").findtext("{*}title").startswith("Kernel internals or locks — ")
    short = tuple(topic.model_copy(update={"content": "summary"}) if topic.slug == "ebpf" else topic for topic in TOPICS)
    full = "{*}entry/{*}content"
    assert combined("bpf,kernel").find(full) is not None
    assert combined("bpf,kernel", topics=short).find(full) is None  # as it was under its former name
    assert combined("locks,kernel").find(full) is None  # nobody here knows how much of it may be given


def replace_slug(topic):
    return topic.model_copy(update={"slug": "a-new-name"}) if topic.slug == "ebpf" else topic


# -- the same bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["atom", "rss", "json"])
def test_both_databases_and_every_moment_give_the_same_bytes(tmp_path, postgres, suffix):
    stores = [fill(open_migrated(url)) for url in (f"sqlite:///{tmp_path / 'store.db'}", postgres())]
    question = Question(parse("ebpf,kernel,-assembly"), suffix, None)
    answers = [render(PUBLISHER, store, question, now=NOW + timedelta(days=days)) for store in stores for days in (0, 400)]
    for store in stores:
        store.close()
    assert all(answer.publication == answers[0].publication for answer in answers)
    assert all(answer.modified == answers[0].modified for answer in answers)


def test_old_posts_that_entered_a_topic_late_are_shown_as_far_as_its_own_feed_shows_them(filled):
    def shown(written):
        return {int(each.removeprefix("post-")) for each in ids(made(filled, written))}

    with filled.writing() as transaction:
        transaction.topics.add_late("post-2", ["ebpf", "all"], NOW)
        transaction.topics.add_late("post-6", ["ebpf"], NOW)
    assert (shown("ebpf,kernel"), shown("ebpf,assembly")) == ({3, 5, 6, 7, 4}, {1, 4, 5, 7})
    assert shown("all,-assembly") == {0, 3, 6}
    with filled.writing() as transaction:
        transaction.topics.surface("ebpf", ["post-2", "post-6"], most=1)
        transaction.topics.surface("all", ["post-2"], most=1)
    assert (shown("ebpf,kernel"), shown("ebpf,assembly")) == ({2, 3, 4, 5, 6, 7}, {1, 2, 4, 5, 7})
    assert shown("all,-assembly") == {0, 2, 3, 6}


def test_nothing_is_remembered_of_what_was_written(filled):
    before = len(build._SPLICER._written)
    for written in ("ebpf,kernel", "ebpf+kernel", "assembly,-kernel", "all,-ebpf"):
        made(filled, written)
    assert len(build._SPLICER._written) == before


def test_it_is_not_made_again_while_its_topics_stand_as_they_stood(filled):
    first = made(filled, "ebpf,-kernel")
    again = Question(parse("ebpf,-kernel"), "atom", first.standings)
    assert render(PUBLISHER, filled, again, now=NOW) is None
    with filled.writing() as transaction:
        transaction.touch(["all", "assembly"])
    assert render(PUBLISHER, filled, again, now=NOW) is None
    with filled.writing() as transaction:
        transaction.touch(["kernel"])
    assert render(PUBLISHER, filled, again, now=NOW).publication == first.publication


def test_what_changes_in_an_excluded_topic_changes_it_and_its_time(filled):
    before = made(filled, "ebpf,-kernel")
    with filled.writing() as transaction:
        transaction.save_memberships("post-6", [Membership("ebpf", 2.0, ())])  # it was in kernel as well
        transaction.touch(["kernel"])
        transaction.publish(replace(before.publication, path="/feeds/kernel.atom", topic="kernel", last_modified=NOW))
    after = made(filled, "ebpf,-kernel")
    assert set(ids(after)) - set(ids(before)) == {"post-6"}
    assert (before.modified, after.modified) == (before.publication.last_modified, NOW)


# -- when it cannot be made --------------------------------------------------------------------------------------------


def test_a_topic_that_the_store_does_not_know_yet(store):
    answer = render(PUBLISHER, store, Question(parse("ebpf,kernel"), "atom", None), now=NOW)
    assert answer == Failure("nothing has been published yet")


def test_a_store_that_is_gone_is_a_failure_with_its_cause(tmp_path):
    combiner = Combiner()
    assert combiner(PUBLISHER._replace(database_url=f"sqlite:///{tmp_path / 'none.db'}")) is None
    answer = combiner(Question(parse("ebpf,kernel"), "atom", None))
    assert isinstance(answer, Failure)
    assert str(answer).startswith("the store cannot be read")
    assert open_store(f"sqlite:///{tmp_path / 'none.db'}").name  # and none was made
    assert not list(tmp_path.iterdir())
