"""Why a post is in its topics, and how well the rules do: what the commands print, and the figures behind."""

from __future__ import annotations

import json

import pytest

from feeds.topics.classify import Classifier
from feeds.topics.evaluation import Label, evaluate
from feeds.topics.labels import LabelsError, read
from feeds.topics.look import measure
from feeds.topics.verdicts import NO_TEXT, explained, explained_json, nearest
from tests.builders import a_post, a_topic
from tests.conftest import TOPICS, topicfeeds, write_config

GO = a_topic(slug="go", title="Go", title_terms=("goroutine*",), terms=("channel",), never=("sale",))
RUST = a_topic(slug="rust", title="Rust", terms=("borrow checker", "lifetimes"))


def labelled(title, *, pos=(), neg=()):
    return Label(a_post(title=title, summary="", content="", tags=()), frozenset(pos), frozenset(neg))


def scores(*labels):
    return {score.topic: score for score in evaluate(labels, Classifier((GO, RUST), language="en").explain)}


def test_precision_and_recall_count_what_was_judged() -> None:
    found = scores(
        labelled("Goroutines", pos=["go"], neg=["rust"]),
        labelled("Goroutines of old", neg=["go"]),
        labelled("Concurrency", pos=["go"]),
        labelled("Channels", pos=["go"]),
        labelled("Goroutine leaks"),
    )
    go, rust = found["go"], found["rust"]
    assert (go.found, len(go.wrong), len(go.missed), go.left) == (2, 1, 1, 0)
    assert (go.precision, go.recall, go.f1) == (0.6667, 0.6667, 0.6667)
    assert [miss.post.title for miss in (*go.wrong, *go.missed)] == ["Goroutines of old", "Concurrency"]
    assert (rust.precision, rust.recall, rust.f1, rust.left) == (None, None, None, 1)


def test_the_nearest_miss_is_the_topic_with_the_largest_share_of_its_threshold() -> None:
    sure, near, far = (
        a_topic(slug="a", title_terms=("raft",)),
        a_topic(slug="b", terms=("raft",), threshold=3),
        a_topic(slug="c", hints=("raft",)),
    )
    verdicts = Classifier((sure, far, near), language="en").explain(a_post(title="Raft", summary="", content="", tags=()))
    found = nearest(verdicts)
    assert found is not None
    assert found.topic == "b"
    assert nearest(verdicts[:1]) is None


def test_a_person_reads_what_was_found_and_what_was_in_the_way() -> None:
    post = a_post(title="Goroutines for sale", summary="<p>Channels, too</p>", content="", tags=())
    lines = list(explained(post, Classifier((RUST, GO), language="en").explain(post)))
    assert lines == [
        "Goroutines for sale",
        "https://blog.example/blog/seqlocks/",
        NO_TEXT,
        "",
        "not in go: 4 of 2  (the nearest miss)",
        "  kept out  never: sale (in the title)",
        '        +3  title_terms: goroutine* in the title "Goroutines"',
        '        +1  terms: channel in the summary "Channels"',
        "",
        "not in rust: 0 of 2",
    ]


def test_what_keeps_nothing_out_is_told_with_the_rest():
    post = a_post(title="For sale", summary="", content="<p>x</p>", tags=("Go",))
    lines = list(explained(post, Classifier((GO,), language="en").explain(post)))
    assert lines[2:] == ["", "in go: 10 of 2", "       +10  named: go in the tags", "        +0  never: sale in the title"]


def test_a_retired_topic_is_said_to_be_one():
    post = a_post(title="Goroutines", content="<p>x</p>", tags=())
    verdicts = Classifier((GO, RUST), language="en").explain(post)
    assert {"in go (retired): 3 of 2", "not in rust: 0 of 2"} <= set(explained(post, verdicts, {"go"}))
    told = explained_json(post, verdicts, {"go"})
    assert [topic["retired"] for topic in told["topics"]] == [True, False]
    assert told["post"]["has_text"]


@pytest.mark.parametrize(
    ("title", "word", "found"),
    [
        ("Why (pprof), and when", "pprof", "pprof"),
        ("The Kernel: a tour", "kernel", "Kernel"),
        ("Who reads a chan<- here", "chan<-", "chan<-"),
        ("More C++, please", "c++", "C++"),
        ("On .NET.", ".net", ".NET"),
        ("A “memory model”, told", "memory models", "memory model"),
    ],
)
def test_found_words_stand_without_the_punctuation_around_them(title, word, found):
    post = a_post(title=title, summary="", content="", tags=())
    (verdict,) = Classifier((a_topic(slug="t", title="T", title_terms=(word,)),), language="en").explain(post)
    assert [evidence.found for evidence in verdict.evidence] == [found]


def test_a_tag_is_told_as_it_is_written():
    post = a_post(title="x", summary="", content="", tags=("Raft (algorithm)",))
    (verdict,) = Classifier((a_topic(slug="t", title="T", tags=("raft algorithm",)),), language="en").explain(post)
    assert [evidence.found for evidence in verdict.evidence] == ["Raft (algorithm)"]


def test_what_a_person_reads_adds_up_to_the_score() -> None:
    topic = a_topic(slug="kernel", terms=tuple(f"word{n}" for n in range(20)), hints=("one", "two", "three"), against=("sale",))
    body = " ".join(["filler"] * 200 + [f"word{n}" for n in range(20)] * 3)
    post = a_post(title="One, two, three for sale", summary="word1", content=f"<p>{body}</p>", tags=())
    (verdict,) = Classifier((topic,), language="en").explain(post)
    lines = [line.split() for line in explained(post, (verdict,)) if line.startswith("   ")]
    assert round(sum(float(line[0]) for line in lines), 2) == round(verdict.score, 2)
    assert {limit.of for limit in verdict.limits} == {"body", "hints"}


def test_hints_alone_are_said_to_count_nothing() -> None:
    post = a_post(title="Locks", summary="", content="", tags=())
    lines = list(explained(post, Classifier((a_topic(slug="go", hints=("lock",)),), language="en").explain(post)))
    assert lines[-2:] == ['        +1  hints: lock in the title "Locks"', "        -1  hints alone count nothing"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is no label"),
        ("[]", "it must be a JSON object"),
        ('{"url": "https://blog.example/x/"}', "no stored post has the url"),
        ('{"title": "x", "pos": "go"}', "pos must be a list of words"),
        ('{"title": "x", "pos": ["go"], "neg": ["go"]}', "'go' is both in pos and in neg"),
        ("[" * 100_000, "recursion"),
        (r'{"title": "half a pair: \ud800"}', "surrogates not allowed"),
    ],
)
def test_a_broken_label_is_named_with_its_line(tmp_path, line, message) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(f'{{"title": "fine"}}\n\n{line}\n')
    with pytest.raises(LabelsError, match=rf"labels\.jsonl:3: .*{message}"):
        list(read(file, lambda _: None))


def test_a_label_may_name_a_stored_post(tmp_path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"url": "https://blog.example/blog/seqlocks/", "pos": ["go"], "neg": []}\n')
    post = a_post()
    (label,) = read(file, {post.url: post}.get)
    assert (label.post, label.belongs) == (post, {"go"})


def test_what_is_measured_are_the_rules_without_the_exceptions(tmp_path, configure) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"title": "Sailing", "url": "https://blog.example/x/", "pos": [], "neg": ["go"]}\n')
    topic = {"slug": "go", "title": "Go", "terms": ["goroutine"]}
    override = {"post": "https://blog.example/x/", "add": ["go"]}
    (score,), unknown = measure(configure(topics=[topic], overrides=[override]), file)
    assert (score.wrong, score.left, unknown) == ((), 1, [])


@pytest.fixture
def refreshed(tmp_path, blog):
    write_config(tmp_path, blog.url)
    assert topicfeeds("refresh", folder=tmp_path).returncode == 0
    return tmp_path


def test_explain_tells_of_a_stored_post(refreshed, blog) -> None:
    url = f"{blog.url}/blog/raft/"
    told = topicfeeds("explain", url, folder=refreshed)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[1] == url
    said = json.loads(topicfeeds("explain", url, "--json", folder=refreshed).stdout)
    assert said["post"]["url"] == url
    assert {"topic", "belongs", "score", "threshold", "evidence", "vetoes", "limits", "retired"} == set(said["topics"][0])
    by_id = json.loads(topicfeeds("explain", said["post"]["id"], "--json", folder=refreshed).stdout)
    assert by_id == said


def test_explain_knows_which_topics_are_retired_by_now(refreshed, blog):
    write_config(refreshed, blog.url, topics=[{**topic, "retired": {"on": "2025-01-01"}} for topic in TOPICS])
    told = topicfeeds("explain", f"{blog.url}/blog/raft/", folder=refreshed)
    assert " distributed-systems (retired): " in told.stdout


def test_explain_of_what_nobody_knows_fails(refreshed) -> None:
    told = topicfeeds("explain", "https://blog.example/no/", folder=refreshed)
    assert (told.returncode, told.stdout) == (1, "")
    assert "nothing is known of https://blog.example/no/" in told.stderr


def test_evaluate_prints_figures_and_misses(tmp_path, blog) -> None:
    write_config(tmp_path, blog.url)
    (tmp_path / "labels.jsonl").write_text(
        '\ufeff{"title": "Nothing of the kind", "pos": ["distributed-systems"], "lead": "a\u2028b"}\n'
        '{"title": "Raft", "pos": ["distributed-systems", "distributed-system"]}\n',
        encoding="utf-8",
    )
    told = topicfeeds("topics", "evaluate", "labels.jsonl", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stderr == "labels.jsonl: not counted, as there are no such topics: distributed-system\n"
    assert "missing from distributed-systems" in told.stdout
    assert "Nothing of the kind  (nothing found)" in told.stdout
    said = json.loads(topicfeeds("topics", "evaluate", "labels.jsonl", "--json", folder=tmp_path).stdout)
    (found,) = [topic for topic in said["topics"] if topic["topic"] == "distributed-systems"]
    assert (found["right"], len(found["missed"]), found["recall"]) == (1, 1, 0.5)


def test_evaluate_needs_a_file_that_it_can_read(tmp_path, blog) -> None:
    write_config(tmp_path, blog.url)
    told = topicfeeds("topics", "evaluate", "none.jsonl", folder=tmp_path)
    assert told.returncode == 2
    assert "none.jsonl" in told.stderr
