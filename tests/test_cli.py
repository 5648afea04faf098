"""The commands as a person runs them: what they print, and how they end."""

import os
import signal

import click
import pytest

from feeds.cli import main
from tests.conftest import eventually, topicfeeds, write_config
from tests.fakes import hang, refusal

SOUND = '[site]\ntitle = "Blog"\nhome = "https://blog.example/"\npublic_url = "https://feeds.example/"\n'
SOURCE = '[[sources]]\nid = "blog"\nurl = "https://blog.example/index.xml"\n'
TOPIC = '[[topics]]\nslug = "go"\ntitle = "Go"\n'


def check(folder, text, **variables):
    (folder / "topicfeeds.toml").write_text(text)
    return topicfeeds("check", folder=folder, **variables)


@pytest.mark.parametrize("command", [[], ["check"], ["refresh"], ["serve"], ["clock"], ["web"], ["demo"]])
def test_every_command_explains_itself(tmp_path, command):
    done = topicfeeds(*command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert "--help" in done.stdout
    assert done.stderr == ""


def commands(group, *names):
    """Every command with the names that lead to it, groups included."""
    yield names, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


@pytest.mark.parametrize(("names", "command"), [pytest.param(n, c, id=" ".join(n) or "topicfeeds") for n, c in commands(main)])
def test_help_is_text_for_people(names, command):
    told = command.get_help(click.Context(command, info_name=" ".join(("topicfeeds", *names))))
    assert "\\" not in told
    assert "\b" not in told


def test_the_walk_through_has_each_command_on_a_line_of_its_own(tmp_path):
    lines = [line.split() for line in topicfeeds("--help", folder=tmp_path).stdout.splitlines()]
    for words in ("demo", "init URL", "topics suggest", "apply", "serve"):
        assert any(line[: 1 + len(words.split())] == ["topicfeeds", *words.split()] for line in lines)


def test_version(tmp_path):
    done = topicfeeds("--version", folder=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "topicfeeds,")


def test_an_unknown_command_is_exit_code_2(tmp_path):
    done = topicfeeds("sreve", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_sound_configuration(tmp_path):
    done = check(tmp_path, SOUND + SOURCE + TOPIC)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sound; 1 source, 1 topic" in done.stdout


def test_the_bundled_configuration_is_sound(tmp_path):
    assert "1 source, 7 topics" in topicfeeds("check", folder=tmp_path).stdout


MISTAKES = {
    "misspelt key": (SOUND + SOURCE + TOPIC + 'titel_terms = ["x"]\n', ["topics.0.titel_terms", "did you mean 'title_terms'"]),
    "a name for the table": (SOUND + SOURCE + TOPIC + 'tags = "x"\n', ["topics.0.tags (go): must be a list"]),
    "a source by its name": (SOUND + SOURCE + "every = 5\n", ["sources.0.every (blog): must be a duration"]),
    "one slug twice": (SOUND + SOURCE + TOPIC + TOPIC, ["topics.1.slug (go)", "already the slug of topics.0"]),
    "no url": (SOUND + '[[sources]]\nid = "blog"\n', ["sources.0.url", "is missing"]),
    "unknown kind": (SOUND + SOURCE + 'kind = "fed"\n', ["sources.0.kind", "did you mean 'feed'", "allowed: "]),
    "negative interval": (SOUND + SOURCE + 'every = "-5m"\n', ["sources.0.every", "must be a duration"]),
    "interval of zero": (SOUND + SOURCE + 'every = "0s"\n', ["sources.0.every", "longer than zero"]),
    "no TOML": ("[site\n", ["is not valid TOML"]),
    "no site": (SOURCE, ["site", "is missing"]),
    "reserved slug": (SOUND + TOPIC.replace('"go"', '"all"'), ["topics.0.slug", "built-in"]),
    "relative url": (SOUND + SOURCE.replace("https://blog.example", ""), ["sources.0.url", "absolute"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_its_key_path(tmp_path, mistake):
    text, expected = MISTAKES[mistake]
    done = check(tmp_path, text)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "topicfeeds.toml" in line
    for words in expected:
        assert words in line


def test_all_mistakes_are_reported_at_once(tmp_path):
    text = SOUND + 'colour = "red"\n' + SOURCE + 'every = "often"\nkind = "x"\n' + TOPIC + TOPIC + "[fetch]\nmax_bytes = 1\n"
    done = check(tmp_path, text)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 5
    for path in ("site.colour", "sources.0.every", "sources.0.kind", "topics.1.slug", "fetch.max_bytes"):
        assert path in done.stderr


@pytest.mark.parametrize("command", [["check"], ["refresh"], ["serve"], ["web"], ["clock"]])
def test_a_file_that_is_not_there(tmp_path, command):
    done = topicfeeds(*command, "--config", "none.toml", folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "none.toml" in line
    assert "cannot be read" in line


def test_the_environment_overrides_and_its_mistakes_are_named(tmp_path):
    assert check(tmp_path, SOUND, TOPICFEEDS_SERVE__PORT="8123").returncode == 0
    done = check(tmp_path, SOUND, TOPICFEEDS_SERVE__PORT="many")
    assert done.returncode == 2
    assert "serve.port" in done.stderr
    done = check(tmp_path, SOUND, TOPICFEEDS_SEVRE__PORT="1")
    assert done.returncode == 2
    assert "did you mean 'TOPICFEEDS_SERVE'" in done.stderr


def test_refresh(tmp_path, blog):
    config = write_config(tmp_path, blog.url)
    first, second = (topicfeeds("refresh", "-c", str(config), folder=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "blog: changed; 3 new, 0 changed" in first.stderr + first.stdout
    assert "blog: not-modified; 0 new, 0 changed" in second.stderr + second.stdout
    assert "\x1b[" not in first.stderr + first.stdout
    assert blog.statuses("/index.xml") == [200, 304]


def test_refresh_of_a_source_that_fails_names_its_cause_and_others_go_on(tmp_path, blog):
    blog.pages["/bad.xml"] = refusal(503)
    sources = [{"id": "bad", "url": f"{blog.url}/bad.xml"}, {"id": "blog", "url": f"{blog.url}/index.xml"}]
    config = write_config(tmp_path, blog.url, sources=sources)
    done = topicfeeds("refresh", "-c", str(config), folder=tmp_path)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "bad: failed (status)" in output
    assert "answered 503" in output
    assert "blog: changed; 3 new" in output
    assert "Traceback" not in output


def test_ctrl_c_while_a_source_does_not_answer_ends_a_refresh_at_once(tmp_path, blog, serving):
    blog.pages["/index.xml"] = hang
    service = serving("refresh", config=write_config(tmp_path, blog.url))
    eventually(lambda: blog.requests, within=20)
    os.killpg(service.process.pid, signal.SIGINT)
    assert service.process.wait(5) == 130
    eventually(lambda: not service.tree(), within=5)
    assert "Traceback" not in service.output


def test_refresh_of_one_source_leaves_the_others_alone(tmp_path, blog):
    sources = [{"id": "other", "url": f"{blog.url}/other.xml"}, {"id": "blog", "url": f"{blog.url}/index.xml"}]
    config = write_config(tmp_path, blog.url, sources=sources)
    assert topicfeeds("refresh", "blog", "-c", str(config), folder=tmp_path).returncode == 0
    assert blog.asked("/other.xml") == []


def test_refresh_of_an_unknown_source(tmp_path, blog):
    config = write_config(tmp_path, blog.url)
    done = topicfeeds("refresh", "blgo", "-c", str(config), folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "blgo" in line
    assert "blog" in line.split("has:")[1]
    assert blog.requests == []


def test_a_database_that_cannot_be_used(tmp_path, blog):
    config = write_config(tmp_path, blog.url, database="postgresql://me:secret@127.0.0.1:1/none")
    done = topicfeeds("refresh", "-c", str(config), folder=tmp_path)
    assert done.returncode == 2
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
