"""The configuration is read as a whole: every mistake is reported at once, with its key path and what to do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from feeds.errors import SettingsError
from feeds.settings import Settings, bundled, load, locate

SITE = '[site]\ntitle = "Blog"\nhome = "https://blog.example/"\npublic_url = "https://feeds.example/"\n'
SOURCE = '[[sources]]\nid = "blog"\nurl = "https://blog.example/index.xml"\n'
TOPIC = '[[topics]]\nslug = "kernel"\ntitle = "Kernel"\n'
SOUND = SITE + SOURCE + TOPIC

FROM_THE_DESIGN = """
[site]
title = "HarrisonSec"
home = "https://harrisonsec.com/"
public_url = "http://localhost:8000/"
language = "en-CA"
timezone = "America/Vancouver"

[[sources]]
id = "blog"
kind = "feed"
url = "https://harrisonsec.com/index.xml"
include = ["/blog/*"]
every = "30m"
enrich = true

[[topics]]
slug = "go-concurrency"
title = "Go concurrency"
description = "Goroutines, channels, the scheduler and what they cost in production."
tags = ["go concurrency", "goroutines"]
title_terms = ["goroutine*", "channels"]
terms = ["sync.Pool", "mutex", "select statement", "GOMAXPROCS"]
needs = ["go", "golang"]
never = ["go-to-market"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    file = folder / "topicfeeds.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ)


def mistakes(folder: Path, text: str, **environ: str) -> dict[str, str]:
    """Every mistake that is reported, by its key path."""
    with pytest.raises(SettingsError) as unsound:
        loaded(folder, text, **environ)
    problems = [(problem.where, problem.message) for problem in unsound.value.problems]
    assert len(dict(problems)) == len(problems), f"a key is reported twice: {problems}"
    return dict(problems)


def test_the_bundled_publication_is_sound() -> None:
    settings = load(bundled() / "topicfeeds.toml", environ={})
    assert [topic.slug for topic in settings.topics] == [
        "go-concurrency", "distributed-systems", "kernel-internals", "runtime", "memory-models", "ebpf", "assembly"
    ]  # fmt: skip


def test_the_example_of_the_design_is_sound(folder: Path) -> None:
    settings = loaded(folder, FROM_THE_DESIGN)
    assert settings.sources[0].every == timedelta(minutes=30)
    assert settings.topics[0].needs == ("go", "golang")
    assert settings.site.zone.key == "America/Vancouver"


def test_a_site_alone_is_enough(folder: Path) -> None:
    settings = loaded(folder, SITE)
    assert (settings.sources, settings.topics) == ((), ())


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("", "site", "is missing"),
        (SITE.replace("title", "#title"), "site.title", "is missing"),
        (SITE.replace('"Blog"', '""'), "site.title", "at least 1 character"),
        (SITE + "nonsense = 1\n", "site.nonsense", "is no key; allowed: "),
        (SITE + 'langauge = "en"\n', "site.langauge", "did you mean 'language'?"),
        (SITE + '[fetch]\ntimeuot = "3s"\n', "fetch.timeuot", "did you mean 'timeout'?"),
        (SITE + "[sorces]\n", "sorces", "did you mean 'sources'?"),
        (SITE + 'language = "english!"\n', "site.language", "must be a language tag"),
        (SITE + 'timezone = "Vancouver"\n', "site.timezone", "must be an IANA time zone"),
        (SITE + "items = 0\n", "site.items", "greater than or equal to 1"),
        (SITE + 'items = "many"\n', "site.items", "valid integer"),
        (SITE + 'max_age = "soon"\n', "site.max_age", "must be a duration such as 30s"),
        (SITE + 'max_age = "0s"\n', "site.max_age", "must be longer than zero"),
        (SITE + 'image = "/logo.png"\n', "site.image", "must be an absolute http"),
        (SITE.replace("https://feeds.example/", "feeds.example"), "site.public_url", "must be an absolute http"),
        (SITE.replace("https://feeds.example/", "https://feeds.example/?a=1"), "site.public_url", "without '?'"),
        (SITE + SOURCE.replace('id = "blog"', ""), "sources.0.id", "is missing"),
        (SITE + SOURCE.replace('"blog"', '"The Blog"'), "sources.0.id", "must be a slug"),
        (SITE + SOURCE + SOURCE, "sources.1.id", "'blog' is already the id of sources.0"),
        (SITE + SOURCE + 'kind = "fede"\n', "sources.0.kind", "did you mean 'feed'?"),
        (SITE + SOURCE + "kind = 7\n", "sources.0.kind", "7"),
        (SITE + SOURCE + 'include = "/blog/*"\n', "sources.0.include", "must be a list"),
        (SITE + SOURCE + "every = 30\n", "sources.0.every", "must be a duration"),
        (SITE + SOURCE + 'every = "-5m"\n', "sources.0.every", "must be a duration"),
        (SITE + SOURCE + 'every = "1.5.2s"\n', "sources.0.every", "must be a duration"),
        (SITE + SOURCE + 'every = "99999999999999d"\n', "sources.0.every", "duration"),
        (SITE + SOURCE.replace("https://blog.example/", "file:///"), "sources.0.url", "must be an absolute http"),
        (SITE + TOPIC.replace("kernel", "all"), "topics.0.slug", "built-in topic"),
        (SITE + TOPIC + TOPIC, "topics.1.slug", "'kernel' is already the slug of topics.0"),
        (SITE + TOPIC + 'term = ["a"]\n', "topics.0.term", "did you mean 'terms'?"),
        (SITE + TOPIC + 'terms = [""]\n', "topics.0.terms.0", "at least 1 character"),
        (SITE + "[serve]\nport = 70000\n", "serve.port", "65535"),
        (SITE + '[fetch]\nallow_networks = ["10.0.0.0/99"]\n', "fetch.allow_networks.0", "must be an address or a network"),
        (SITE + "[fetch]\nmax_bytes = 1\n", "fetch.max_bytes", "1024"),
        ("site = 3\n", "site", ""),
        (f"topics = 3\n{SITE}", "topics", "must be a list"),
        (f"topics = [3]\n{SITE}", "topics.0", ""),
        ("[site\n", "file", "is not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_key_path_with_what_to_do(folder: Path, text: str, where: str, message: str) -> None:
    found = mistakes(folder, text)
    assert list(found) == [where]
    assert message in found[where]


def test_every_mistake_is_reported_at_once(folder: Path) -> None:
    text = SITE.replace("https://feeds.example/", "nowhere") + 'langauge = "en"\n'
    text += SOURCE + 'kind = "fede"\nevery = "soon"\n' + SOURCE + TOPIC.replace("kernel", "all") + 'terms = "a"\n'
    assert set(mistakes(folder, text)) == {
        "site.public_url", "site.langauge", "sources.0.kind", "sources.0.every", "sources.1.id", "topics.0.slug", "topics.0.terms"
    }  # fmt: skip


def test_a_mistake_is_printed_on_a_line_of_its_own_with_the_file(folder: Path) -> None:
    with pytest.raises(SettingsError) as unsound:
        loaded(folder, SITE + SOURCE + SOURCE + TOPIC + TOPIC)
    lines = str(unsound.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{folder / 'topicfeeds.toml'}: ") for line in lines)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("2D", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("0.1s", timedelta(milliseconds=100)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_a_duration_is_written_as_people_write_it(folder: Path, written: str, meant: timedelta) -> None:
    assert loaded(folder, SITE + SOURCE + f'every = "{written}"\n').sources[0].every == meant


def test_urls_of_the_site_end_with_a_slash(folder: Path) -> None:
    site = loaded(folder, SITE.replace("feeds.example/", "feeds.example/blog")).site
    assert site.public_url == "https://feeds.example/blog/"


def test_a_missing_file_says_how_to_name_another(folder: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(str(folder / "none.toml")) + ": file: cannot be read: .*--config"):
        load(folder / "none.toml", environ={})


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(folder, environ={})


def test_a_file_that_is_not_utf_8_is_no_toml(folder: Path) -> None:
    (folder / "latin.toml").write_bytes('title = "Café"'.encode("latin-1"))
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load(folder / "latin.toml", environ={})


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("TOPICFEEDS_SITE__TITLE", "Another", "site.title", "Another"),
        ("TOPICFEEDS_SERVE__PORT", "9000", "serve.port", 9000),
        ("TOPICFEEDS_FETCH__PACE", "0s", "fetch.pace", timedelta(0)),
        ("TOPICFEEDS_DATA", "/srv/feeds", "data", Path("/srv/feeds")),
        ("topicfeeds_database", "postgresql://db/feeds", "database", "postgresql://db/feeds"),
        ("TOPICFEEDS_TOPICS", '[{"slug": "go", "title": "Go"}]', "topics.0.slug", "go"),
    ],
)
def test_the_environment_overrides_the_file_key_by_key(folder: Path, name: str, value: str, key: str, expected: object) -> None:
    found: object = loaded(folder, SOUND, **{name: value})
    for part in key.split("."):
        found = found[int(part)] if part.isdecimal() else getattr(found, part)  # type: ignore[index]
    assert found == expected


def test_an_override_leaves_the_rest_of_its_table(folder: Path) -> None:
    settings = loaded(folder, SITE + 'language = "fr"\n', TOPICFEEDS_SITE__TITLE="Another")
    assert (settings.site.title, settings.site.language, settings.site.home) == ("Another", "fr", "https://blog.example/")


def test_a_secret_is_read_from_its_file(folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("postgresql://user:secret@db/feeds\n", encoding="utf-8")
    assert loaded(folder, SOUND, TOPICFEEDS_DATABASE_FILE=str(secret)).database == "postgresql://user:secret@db/feeds"


@pytest.mark.parametrize(
    ("name", "value", "where", "message"),
    [
        ("TOPICFEEDS_DATABASE_FILE", "/nowhere/secret", "TOPICFEEDS_DATABASE_FILE", "/nowhere/secret cannot be read"),
        ("TOPICFEEDS_DATABSE", "x", "TOPICFEEDS_DATABSE", "did you mean 'TOPICFEEDS_DATABASE'?"),
        ("TOPICFEEDS_NONSENSE__PORT", "x", "TOPICFEEDS_NONSENSE__PORT", "is no setting"),
        ("TOPICFEEDS_TOPICS", "not json", "TOPICFEEDS_TOPICS", "must be JSON"),
        ("TOPICFEEDS_SERVE__PORT", "many", "serve.port", "valid integer"),
        ("TOPICFEEDS_SERVE__PROT", "80", "serve.prot", "did you mean 'port'?"),
    ],
)
def test_a_mistake_in_the_environment_is_named(folder: Path, name: str, value: str, where: str, message: str) -> None:
    found = mistakes(folder, SOUND, **{name: value})
    assert message in found[where]


def test_variables_of_others_are_left_alone(folder: Path) -> None:
    assert loaded(folder, SOUND, PATH="/bin", SITE__TITLE="x", TOPICFEED_SITE="x").site.title == "Blog"


def test_the_file_is_the_one_named_else_that_of_the_variable_else_the_local_one_else_the_bundled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert locate(environ={}) == bundled() / "topicfeeds.toml"
    (folder / "topicfeeds.toml").write_text(SOUND, encoding="utf-8")
    assert locate(environ={}) == Path("topicfeeds.toml")
    assert locate(environ={"TOPICFEEDS_CONFIG": "other.toml"}) == Path("other.toml")
    assert locate("named.toml", environ={"TOPICFEEDS_CONFIG": "other.toml"}) == Path("named.toml")


def test_the_database_is_a_file_in_data_unless_it_is_named(folder: Path) -> None:
    assert loaded(folder, SOUND, TOPICFEEDS_DATA="/srv").database_url == "sqlite:////srv/topicfeeds.db"
    assert loaded(folder, SOUND, TOPICFEEDS_DATABASE="postgresql://db/x").database_url == "postgresql://db/x"


def test_settings_are_frozen(folder: Path) -> None:
    settings = loaded(folder, SOUND)
    with pytest.raises(ValueError, match="frozen"):
        settings.site.title = "Another"  # type: ignore[misc]


def test_overrides_stand_in_the_configuration_or_in_a_file_beside_it(folder: Path) -> None:
    (folder / "topicfeeds.overrides.toml").write_text('[[overrides]]\npost = "b"\nadd = ["kernel"]\n', encoding="utf-8")
    settings = loaded(folder, SOUND + '[[overrides]]\npost = "a"\ntopics = []\n')
    assert [(override.post, override.topics, override.add) for override in settings.overrides] == [
        ("a", (), ()),
        ("b", None, ("kernel",)),
    ]


def test_an_override_names_a_topic_that_there_is(folder: Path) -> None:
    found = mistakes(folder, SOUND + '[[overrides]]\npost = "a"\nadd = ["kernels"]\n')
    assert found == {"overrides.0.add": "'kernels' is no topic; did you mean 'kernel'?"}


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [("topics = []", 'topics = ["kernel"]', "topics"), ('add = ["kernel"]', 'remove = ["kernel"]', "remove")],
)
def test_overrides_of_one_post_that_contradict_each_other_are_a_mistake(folder: Path, one: str, other: str, where: str) -> None:
    beside = f'[[overrides]]\npost = "https://blog.example/p/41/"\n{other}\n'
    (folder / "topicfeeds.overrides.toml").write_text(beside, encoding="utf-8")
    found = mistakes(folder, SOUND + f'[[overrides]]\npost = "https://blog.example/p/41"\n{one}\n')
    assert found == {f"overrides.1.{where}": "contradicts overrides.0, which is of the same post"}


def test_an_override_that_wants_nothing_is_a_mistake(folder: Path) -> None:
    found = mistakes(folder, SOUND + '[[overrides]]\npost = "a"\n')
    assert list(found) == ["overrides.0"]
    assert "must say what is wanted of the post" in found["overrides.0"]


def test_the_file_beside_holds_overrides_only(folder: Path) -> None:
    (folder / "topicfeeds.overrides.toml").write_text(SITE, encoding="utf-8")
    assert mistakes(folder, SOUND) == {"site": "has no place in topicfeeds.overrides.toml, which holds overrides only"}
