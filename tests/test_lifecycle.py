"""Where the slugs of a configuration stand at a time, and what is wrong between topics."""

from datetime import timedelta

import pytest

from feeds.errors import SettingsError
from feeds.settings import load
from feeds.topics.lifecycle import Addresses, Standing, phase, standings
from tests.builders import a_site, a_topic, at

SITE = a_site(timezone="America/Vancouver")
RETIRED = a_topic(slug="asm", retired={"on": "2026-11-01", "to": "kernel"})
HEAD = '[site]\ntitle = "Blog"\nhome = "https://blog.example/"\npublic_url = "https://feeds.example/"\n'


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-01 06:59:59", "open"),  # still October in Vancouver
        ("2026-11-01 07:00:00", "closing"),
        ("2027-01-30 06:59:59", "closing"),
        ("2027-01-30 07:00:00", "gone"),
    ],
)
def test_a_retired_topic_closes_on_its_day_and_is_gone_after_its_grace(moment, expected):
    assert phase(RETIRED, SITE, now=at(moment)) == expected


def test_addresses_of_a_configuration():
    topics = (a_topic(slug="kernel", aliases=["linux", "os"]), RETIRED)
    found = Addresses(standings(topics, SITE, now=at("2027-06-01")))
    assert found.current == {"all", "kernel"}
    assert found.aliases == {"linux": "kernel", "os": "kernel"}
    assert found.gone == {"asm": "kernel"}
    assert found.settle("linux") == found.settle("kernel") == "kernel"
    assert found.settle("unheard-of") == "unheard-of"


def test_chains_are_flattened_and_circles_end():
    chain = {"a": Standing("former", "b"), "b": Standing("former", "c"), "c": Standing("open")}
    assert Addresses(chain).aliases == {"a": "c", "b": "c"}
    assert Addresses({"a": Standing("former", "b"), "b": Standing("former", "a")}).settle("a") in ("a", "b")


def mistakes(tmp_path, topics):
    file = tmp_path / "topicfeeds.toml"
    file.write_text(HEAD + topics, encoding="utf-8")
    with pytest.raises(SettingsError) as unsound:
        load(file, environ={})
    return {problem.where: problem.message for problem in unsound.value.problems}


def table(slug, more=""):
    return f'[[topics]]\nslug = "{slug}"\ntitle = "{slug}"\n{more}\n'


MISTAKES = {
    "alias of a topic": (table("a", 'aliases = ["b"]') + table("b"), "topics.0.aliases.0", "is the slug of topics.1"),
    "alias of itself": (table("a", 'aliases = ["a"]'), "topics.0.aliases.0", "own slug"),
    "alias twice": (table("a", 'aliases = ["x"]') + table("b", 'aliases = ["x"]'), "topics.1.aliases.0", "alias of topics.0"),
    "alias all": (table("a", 'aliases = ["all"]'), "topics.0.aliases.0", "built-in"),
    "no slug": (table("a", 'aliases = ["A b"]'), "topics.0.aliases.0", "must be a slug"),
    "retired to nothing": (table("a", 'retired = {on = 2026-11-01, to = "b"}'), "topics.0.retired.to", "is no topic"),
    "retired to itself": (table("a", 'retired = {on = 2026-11-01, to = "a"}'), "topics.0.retired.to", "itself"),
    "retired without a day": (table("a", 'retired = {to = "all"}'), "topics.0.retired.on", "is missing"),
    "retired to retired": (
        table("a", 'retired = {on = 2026-11-01, to = "b"}') + table("b", "retired = {on = 2026-11-01}"),
        "topics.0.retired.to",
        "retired too",
    ),
    "title without letters of a slug": ('[[topics]]\ntitle = "内核"\n', "topics.0.slug", "site.slugs"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_wrong_between_topics_is_said_once(tmp_path, mistake):
    text, where, words = MISTAKES[mistake]
    found = mistakes(tmp_path, text)
    assert list(found) == [where]
    assert words in found[where]


def test_a_slug_comes_from_the_title_or_the_map(tmp_path):
    file = tmp_path / "topicfeeds.toml"
    slugs = '[site.slugs]\n"内核" = "kernel"\n"Go" = "golang"\n'
    file.write_text(HEAD + slugs + "".join(f'[[topics]]\ntitle = "{title}"\n' for title in ("内核", "Memory models", "go", "C++")))
    assert [topic.slug for topic in load(file, environ={}).topics] == ["kernel", "memory-models", "golang", "cpp"]


def test_the_grace_may_be_chosen(tmp_path):
    topic = a_topic(slug="asm", retired={"on": "2026-11-01", "grace": "1d"})
    assert topic.retired.grace == timedelta(days=1)
    assert phase(topic, SITE, now=at("2026-11-02 07:00:00")) == "gone"
