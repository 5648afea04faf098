"""Which of the owner's words a post holds, where, and whether that is enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from feeds.configuration import Override
from feeds.model import Evidence, Membership, Post, Topic, Verdict
from feeds.settings import bundled, load
from feeds.topics.classify import WEIGHTS, Classifier, topics_of
from feeds.topics.classify.judge import CEILINGS
from tests.builders import a_post, a_topic

FILLER = "A word is a word is a word. " * 30
"""More than a lead of words that no rule here has."""


def titled(title: str, **overrides: object) -> Post:
    """A post that says nothing but its title."""
    return a_post(**{"title": title, "summary": "", "content": "", "tags": ()} | overrides)


def classify(post: Post, *topics: Topic, language: str = "en") -> tuple[Membership, ...]:
    return Classifier(topics, language=language).classify(post)


def explain(post: Post, *topics: Topic, language: str = "en") -> tuple[Verdict, ...]:
    return Classifier(topics, language=language).explain(post)


def evidence(post: Post, topic: Topic) -> tuple[Evidence, ...]:
    (membership,) = classify(post, topic)
    return membership.evidence


@pytest.mark.parametrize(
    ("term", "title"),
    [
        ("c++", "Modern C++ in practice"),
        ("c++", "Why C++?"),
        ("c++", "Templates (C++)"),
        (".net", "Moving to .NET"),
        (".net", "Moving to .NET."),
        ("sync.Pool", "What sync.Pool costs"),
        ("sync.Pool", "What `sync.Pool` costs"),
        ("sync.Pool", "Recycling: sync.Pool."),
        ("sync.Pool", "Recycling (with sync.Pool)."),
        ("sync.Pool", "sync.Pool's second life"),
        ("eBPF", "Tracing with eBPF"),
        ("eBPF", "An eBPF-based firewall"),
        ("ebpf", "EBPF SHOUTED"),
        ("io_uring", "io_uring, two years on"),
        ("io_uring", "An io_uring-based server"),
        ("chan<-", "What chan<- means"),
        ("std::atomic", "Fences in std::atomic"),
        ("sync/atomic", "Inside sync/atomic"),
        ("x86-64", "An x86-64 bootloader"),
        ("goroutine*", "Goroutine leaks"),
        ("goroutine*", "Goroutines"),
        ("goroutine*", "goroutine-local storage"),
        ("disassembl*", "Disassembling printf"),
        ("goroutine", "Ten million goroutines"),
        ("goroutines", "One goroutine"),
        ("channel", "Channels considered"),
        ("memory model", "Memory models of old"),
        ("memory models", "The memory-model's price"),
        ("happens-before", "What happens before what"),
        ("leader election", "On leader\u00a0elections"),
        ("内核", "深入Linux内核里的调度"),
        ("内核", "内核"),
        ("Überlauf", "Ein ÜBERLAUF im Stapel"),
        ("sync.Pool", "使用sync.Pool优化性能"),
        ("sync.Pool", "使用 sync.Pool。"),
        ("sync.Pool", "&sync.Pool{} explained"),
        ("io_uring", "**io_uring** at last"),
        ("c++", "用C++写代码"),
        ("c++", "「C++」入門"),
        ("内核", "Linux内核与C++"),
        ("内核*", "Linux 内核分析"),
        ("café", "The cafe\u0301 story"),
        ("SQL", "ＳＱＬ 入门"),
    ],
)
def test_a_word_is_found(term: str, title: str) -> None:
    assert topics_of(classify(titled(title), a_topic(title_terms=(term,)))) == {"kernel"}


@pytest.mark.parametrize(
    ("term", "title"),
    [
        ("c++", "Modern C in practice"),
        ("c", "Modern C++ in practice"),
        ("c", "C# for the impatient"),
        (".net", "Networks and the net"),
        ("net", "Moving to .NET"),
        ("sync.Pool", "A pool that is in sync"),
        ("sync.Pool", "sync the pool"),
        ("sync.Pool", "sync.Map"),
        ("chan<-", "A chan of work"),
        ("io_uring", "I/O during the night"),
        ("goroutine*", "The go routine"),
        ("go", "Google goes on"),
        ("rust", "Trust and frustration"),
        ("memory model", "Memory of a model"),
        ("memory model", "A model of memory"),
        ("内核", "内的核"),
        ("select statement", "Select a good statement"),
    ],
)
def test_another_word_is_not_taken_for_it(term: str, title: str) -> None:
    assert classify(titled(title), a_topic(title_terms=(term,))) == ()


@pytest.mark.parametrize(
    ("rule", "field", "weight"),
    [(rule, field, weight) for rule in ("title_terms", "terms", "against") for field, weight in WEIGHTS[rule].items()],
)
def test_a_word_weighs_what_its_rule_and_field_say(rule: str, field: str, weight: float) -> None:
    words = {
        "tags": {"tags": ("raft",)},
        "title": {"title": "Raft"},
        "headings": {"content": "<h2>Raft</h2><p>x</p>"},
        "summary": {"summary": "<p>Raft</p>"},
        "lead": {"content": "<p>Raft</p>"},
        "body": {"content": f"<p>{FILLER} raft raft raft</p>"},
    }
    (verdict,) = explain(titled(**{"title": "Nothing"} | words[field]), a_topic(**{rule: ("raft",)}))
    assert [(e.rule, e.field, e.words, e.weight) for e in verdict.evidence] == [(rule, field, "raft", weight)]


@pytest.mark.parametrize(
    ("topic", "post", "member"),
    [
        ({"terms": ("raft",)}, {"title": "Raft"}, True),
        ({"terms": ("raft",)}, {"summary": "<p>Raft</p>"}, False),
        ({"terms": ("raft", "paxos")}, {"summary": "<p>Raft, not Paxos</p>"}, True),
        ({"terms": ("raft", "paxos")}, {"content": "<p>raft paxos</p>"}, True),
        ({"terms": ("raft",)}, {"content": "<p>raft raft raft raft raft raft</p>"}, False),
        ({"terms": ("raft", "paxos")}, {"summary": "<p>raft</p>", "content": "<p>paxos</p>"}, True),
        ({"terms": ("raft", "paxos")}, {"content": "<h2>raft</h2><h3>paxos</h3>"}, False),
        ({"hints": ("raft", "paxos")}, {"title": "Raft and Paxos"}, False),
        ({"terms": ("raft",), "hints": ("paxos", "quorum")}, {"content": "<p>raft: paxos and quorum</p>"}, True),
        ({"terms": ("raft",), "against": ("paxos",)}, {"title": "Raft, not Paxos"}, False),
        ({"terms": ("raft",)}, {"title": "Code", "content": "<pre>raft raft raft</pre>"}, False),
        ({"terms": ("raft",), "threshold": 3.0}, {"title": "Raft"}, False),
        ({"terms": ("raft",), "threshold": 1.0}, {"content": "Raft"}, True),
        ({"terms": ("raft",), "languages": ("de",)}, {"title": "Raft"}, False),
        ({"terms": ("raft",), "languages": ("de", "en-CA")}, {"title": "Raft"}, True),
        ({"title_terms": ("raft",)}, {"title": "Raft"}, True),
        ({"title_terms": ("raft",)}, {"summary": "<p>Raft</p>"}, False),
        ({"title_terms": ("raft",), "hints": ("log",)}, {"summary": "<p>Raft's log</p>"}, True),
        ({"tags": ("raft",)}, {"tags": ("Raft",)}, True),
        ({"tags": ("raft",)}, {"title": "Raft", "summary": "<p>raft</p>", "content": "<p>raft</p>"}, False),
        ({}, {"title": "Anything"}, False),
    ],
)
def test_enough_evidence_makes_a_member(topic: dict[str, object], post: dict[str, object], *, member: bool) -> None:
    assert bool(classify(titled("Nothing", **post) if "title" not in post else titled(**post), a_topic(**topic))) is member


def test_a_word_counts_once_where_it_weighs_most() -> None:
    post = titled("Raft", summary="<p>Raft</p>", content="<p>raft raft</p>")
    (membership,) = classify(post, a_topic(terms=("raft",)))
    assert membership == Membership("kernel", 2.0, (Evidence("terms", "title", "raft", 2.0, "Raft"),))


def test_a_long_body_counts_up_to_a_ceiling() -> None:
    terms = tuple(f"term{n}" for n in range(20))
    post = titled("Nothing", content=f"<p>{FILLER}</p>" + f"<p>{' '.join(terms)}</p>" * 3)
    (verdict,) = explain(post, a_topic(terms=terms))
    assert (verdict.score, verdict.belongs) == (CEILINGS["body"], False)
    assert len(verdict.evidence) == 20


def test_evidence_says_which_words_of_the_owner_matched_where_heaviest_first() -> None:
    post = titled("Goroutines and channels", tags=("Go concurrency",), content="<p>Use a mutex.</p>")
    topic = a_topic(tags=("go concurrency",), title_terms=("goroutine*",), terms=("channel", "mutex"))
    assert evidence(post, topic) == (
        Evidence("tags", "tags", "go concurrency", 4.0, "Go concurrency"),
        Evidence("title_terms", "title", "goroutine*", 3.0, "Goroutines"),
        Evidence("terms", "title", "channel", 2.0, "channels"),
        Evidence("terms", "lead", "mutex", 1.0, "mutex"),
    )


@pytest.mark.parametrize(
    ("tag", "member"),
    [("Runtime", True), ("runtimes", True), ("RUNTIME", True), ("Runtime & Networks", False), ("Go runtime", False)],
)
def test_a_tag_is_matched_as_a_whole(tag: str, *, member: bool) -> None:
    assert bool(classify(titled("Nothing", tags=(tag,)), a_topic(tags=("runtime",)))) is member


@pytest.mark.parametrize(
    "where", [{"tags": ("Golang tips",)}, {"title": "Leaks in Go"}, {"summary": "<p>In Go</p>"}, {"content": "<p>In Go</p>"}]
)
def test_what_a_topic_needs_may_be_anywhere(where: dict[str, object]) -> None:
    topic = a_topic(title_terms=("leak",), needs=("go", "golang"))
    assert topics_of(classify(titled(**{"title": "A leak"} | where), topic)) == {"kernel"}


def test_without_what_a_topic_needs_nothing_is_enough() -> None:
    assert classify(titled("Leaks in Rust", tags=("leak",)), a_topic(tags=("leak",), title_terms=("leak",), needs=("go",))) == ()


@pytest.mark.parametrize(
    "where",
    [
        {"tags": ("our go-to-market",)},
        {"title": "Go to market"},
        {"summary": "<p>A go-to-market plan</p>"},
        {"content": "go-to-market"},
    ],
)
def test_what_a_topic_never_holds_keeps_a_post_out(where: dict[str, object]) -> None:
    sure = {"title": "Goroutines", "tags": ("goroutines",)}
    post = titled(**sure | where | {"tags": (*sure["tags"], *where.get("tags", ()))})
    assert classify(post, a_topic(tags=("goroutines",), never=("go-to-market",))) == ()


@pytest.mark.parametrize(
    ("override", "topics"),
    [
        ({"topics": ("b",)}, {"b"}),
        ({"topics": ()}, set()),
        ({"add": ("b",)}, {"a", "b"}),
        ({"remove": ("a",)}, set()),
        ({"topics": (), "add": ("b",)}, {"b"}),
    ],
)
@pytest.mark.parametrize("name", ["url", "id"])
def test_the_owner_has_the_last_word_on_a_post(override: dict[str, object], topics: set[str], name: str) -> None:
    post = titled("Raft")
    rules = (a_topic(slug="a", title_terms=("raft",)), a_topic(slug="b", title_terms=("paxos",), never=("raft",)))
    classifier = Classifier(rules, language="en", overrides=[Override(post=getattr(post, name), **override)])
    assert topics_of(classifier.classify(post)) == topics
    assert {verdict.topic for verdict in classifier.explain(post) if verdict.belongs} == topics
    assert topics_of(classifier.classify(replace(post, url="https://blog.example/other/", id="x"))) == {"a"}


def test_overrides_of_one_post_add_up_however_they_name_it() -> None:
    post = titled("Raft", url="https://blog.example/p/41/")
    rules = tuple(a_topic(slug=slug, title=slug, terms=("raft",) if slug in "ab" else ()) for slug in "abcd")
    named = ("https://blog.example/p/41", "http://www.blog.example/p/41/?utm_source=x", post.id)
    wanted = ({"add": ("c",)}, {"remove": ("a",)}, {"add": ("d",)})
    overrides = [Override(post=name, **said) for name, said in zip(named, wanted, strict=True)]
    classifier = Classifier(rules, language="en", overrides=overrides)
    assert topics_of(classifier.classify(post)) == {"b", "c", "d"}
    assert topics_of(classifier.classify(replace(post, url="https://blog.example/p/4/", id="x"))) == {"a", "b"}


@pytest.mark.parametrize("tag", ["memory-models", "Memory Models", "memory model"])
def test_a_tag_that_names_the_topic_decides_whatever_else_is_there(tag: str) -> None:
    topic = a_topic(slug="memory-models", title="Memory models", needs=("x",), never=("y",), threshold=100)
    assert classify(titled("Y", tags=(tag,)), topic)
    assert not classify(titled("Memory models"), topic)


def test_a_phrase_within_a_longer_one_counts_nothing() -> None:
    topic = a_topic(title_terms=("linux kernel",), terms=("kernel",))
    assert [e.words for e in evidence(titled("The Linux kernel"), topic)] == ["linux kernel"]
    (verdict,) = explain(titled("x", summary="<p>The Linux kernel, a kernel</p>"), topic)
    assert [e.words for e in verdict.evidence] == ["linux kernel", "kernel"]


def test_a_word_in_two_lists_counts_in_the_heavier() -> None:
    topic = a_topic(title_terms=("goroutine",), terms=("goroutines",), hints=("goroutine",))
    assert [(e.rule, e.weight) for e in evidence(titled("Goroutines"), topic)] == [("title_terms", 3.0)]


def test_a_pattern_finds_what_it_says_in_either_case_unless_it_says_otherwise() -> None:
    topic = a_topic(terms=(r"/(?-i)\bGC\b/", r"/\braw .{0,9}syscall/"))
    assert [e.found for e in evidence(titled("A RAW Linux syscall and the GC"), topic)] == ["GC", "RAW Linux syscall"]
    assert not classify(titled("gc"), topic)


def test_a_pattern_may_be_what_a_topic_needs_or_never_holds() -> None:
    topic = a_topic(terms=("leak",), needs=(r"/(?-i)\bGo\b/",), never=("/market(ing)?/",))
    assert classify(titled("A leak in Go"), topic)
    assert not classify(titled("Leaks go on"), topic)
    assert not classify(titled("A leak in Go's marketing"), topic)


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must hold a regular expression .* between its slashes: missing \)"):
        a_topic(terms=("/(/",))


def test_names_are_no_patterns() -> None:
    topic = a_topic(title="/(/", tags=("/r/c(/", "/r/rust/"))
    assert classify(titled("x", tags=("/r/rust/",)), topic)
    assert not classify(titled("x", tags=("or/rustic",)), topic)


def test_of_thousands_of_patterns_each_finds_what_it_finds_alone() -> None:
    topics = [a_topic(slug=f"t{n}", title=f"T{n}", terms=(rf"/\bfoo{n}\b.{{0,40}}bar\b/",)) for n in range(1500)]
    classifier = Classifier(topics, language="en")
    assert topics_of(classifier.classify(titled("Foo0 and bar"))) == {"t0"}
    assert topics_of(classifier.classify(titled("foo99 foo100 foo1499 bars and BAR"))) == {"t99", "t100", "t1499"}
    assert not classifier.classify(titled("foo15000 bar"))


def test_patterns_that_are_too_large_together_find_what_they_find() -> None:
    topics = [a_topic(slug=f"t{n}", title=f"T{n}", terms=(rf"/q{n}\pL{{1,30}}z/",)) for n in range(50)]
    found = Classifier(topics, language="en").classify(titled("q7" + "é" * 9 + "z"))
    assert topics_of(found) == {"t7"}


def test_a_pattern_that_is_too_large_alone_is_refused() -> None:
    with pytest.raises(ValidationError, match="pattern too large"):
        a_topic(terms=(r"/\pL{1000}\pL{1000}/",))


@pytest.mark.parametrize("term", ["sync.*", "c++*", "why lock-free*"])
def test_a_prefix_that_no_word_begins_with_is_refused(term: str) -> None:
    with pytest.raises(ValidationError, match="matches nothing: a prefix is letters and digits before"):
        a_topic(terms=(term,))


def test_code_counts_only_for_what_is_looked_for_in_code() -> None:
    snippet = "<p>On maps of the kernel.</p><pre><code>go func() { ch &lt;- 1 }()\nmovq rax, rbx\nmovq rax, rcx\nmovq</code></pre>"
    go, assembly = a_topic(slug="go", terms=("func", "ch")), a_topic(slug="assembly", code=("movq", "rax"))
    goes, reads = explain(titled("eBPF", content=snippet), go, assembly)
    assert goes.evidence == ()
    assert [(e.words, e.weight, e.times) for e in reads.evidence] == [("movq", 0.5, 3), ("rax", 0.333, 2)]


def test_what_keeps_a_post_out_is_said() -> None:
    topic = a_topic(terms=("raft",), needs=("go",), never=("sale",), languages=("de",))
    (verdict,) = explain(titled("Raft for sale"), topic)
    assert (verdict.belongs, verdict.score) == (False, 2.0)
    assert verdict.vetoes == (
        "languages: the post is in en, the topic takes de",
        "never: sale (in the title)",
        "needs: none of go is in the post, or in its body often enough",
    )


@pytest.mark.parametrize(("times", "belongs"), [(1, False), (2, False), (3, True)])
def test_what_a_body_mentions_in_passing_is_not_what_the_topic_needs(times: int, *, belongs: bool) -> None:
    topic = a_topic(terms=("concurrency",), needs=("golang",))
    content = f"<p>{'filler ' * 100}</p><p>{'golang ' * times}</p>"
    (verdict,) = explain(titled("Concurrency", content=content), topic)
    assert verdict.belongs is belongs


@given(st.text(), st.text())
def test_what_is_explained_is_what_is_classified(title: str, content: str) -> None:
    topics = (a_topic(slug="a", terms=("a", "b*"), hints=("c",), against=("d",)), a_topic(slug="b", title_terms=("a b",)))
    post = titled(title, content=content)
    explained = tuple(Membership(v.topic, v.score, v.evidence) for v in explain(post, *topics) if v.belongs)
    assert explained == classify(post, *topics)


def test_needs_and_never_weigh_nothing_themselves() -> None:
    assert classify(titled("Go"), a_topic(needs=("go",))) == ()


def test_an_empty_post_belongs_nowhere() -> None:
    assert classify(titled(""), a_topic(tags=("a",), title_terms=("b",), terms=("c",))) == ()


def test_a_rule_of_punctuation_alone_matches_nothing() -> None:
    assert classify(titled("What? (…) !"), a_topic(title_terms=("?", "…", "( )"))) == ()


def test_markup_and_scripts_are_no_words() -> None:
    post = titled("Nothing", summary='<p class="raft">x</p><script>raft</script>', content="<style>.raft{}</style>")
    assert classify(post, a_topic(title_terms=("raft",), terms=("raft",), needs=())) == ()


def test_memberships_come_in_the_order_of_the_configuration() -> None:
    topics = [a_topic(slug=slug, title_terms=("raft",)) for slug in ("zebra", "ant", "mole")]
    assert [membership.topic for membership in classify(titled("Raft"), *topics)] == ["zebra", "ant", "mole"]


def test_a_topic_decides_for_itself() -> None:
    topics = (a_topic(slug="a", title_terms=("raft",), never=("paxos",)), a_topic(slug="b", title_terms=("paxos",)))
    assert topics_of(classify(titled("Raft and Paxos"), *topics)) == {"b"}


@pytest.mark.parametrize(
    ("language", "term", "title"),
    [("de", "Speicher", "Speichers Ende"), ("fr", "canal", "Canaux et canal"), ("ja", "内核", "内核の話"), ("xx", "raft", "Raft")],
)
def test_endings_are_those_of_the_posts_language(language: str, term: str, title: str) -> None:
    assert topics_of(classify(titled(title, language=language), a_topic(title_terms=(term,)))) == {"kernel"}


def test_the_language_of_the_site_is_that_of_a_post_which_names_none() -> None:
    german = titled("Laufzeiten messen")
    assert classify(german, a_topic(title_terms=("Laufzeit",)), language="de-CH")


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_classification_is_deterministic_and_never_fails(title: str, content: str, tags: list[str]) -> None:
    topics = (a_topic(tags=("go",), terms=("a", "b*", "c++"), needs=(".net", "a")), a_topic(slug="b", title_terms=("内核", "x.y")))
    post = titled(title, content=content, tags=tuple(tags))
    assert classify(post, *topics) == classify(post, *topics) == Classifier(topics, language="en").classify(post)


@given(st.text(st.characters(codec="utf-8")).filter(lambda term: term.strip() and "*" not in term))
def test_whatever_the_owner_writes_as_a_word_compiles(term: str) -> None:
    classify(titled("Anything at all"), a_topic(title_terms=(term, "anything")))


@pytest.mark.parametrize(
    ("title", "topics"),
    [
        ("Goroutine leaks and how to find them", {"go-concurrency"}),
        ("Raft leader election, step by step", {"distributed-systems"}),
        ("io_uring and the page cache", {"kernel-internals"}),
        ("Go's garbage collector under pressure", {"runtime"}),
        ("Happens-before, explained by litmus tests", {"memory-models"}),
        ("Tracing TCP with eBPF and bpftrace", {"ebpf"}),
        ("Disassembling a Go binary with objdump", {"assembly"}),
        ("Our go-to-market plan", set()),
        ("A walk in the woods", set()),
    ],
)
def test_the_bundled_topics_know_their_posts(title: str, topics: set[str]) -> None:
    settings = load(bundled() / "topicfeeds.toml", environ={})
    assert topics_of(Classifier(settings.topics, language="en").classify(titled(title))) == topics


@pytest.mark.parametrize(
    ("term", "title"),
    [
        ("sync.Pool", "sync.Pool<T> and friends"),
        ("sync.Pool", "On sync.Pool[T]"),
        ("sync.Pool", "sync.Pool{New: f}"),
        ("sync.Pool", "sync.Pool.Get() returns what it likes"),
        ("sync.Pool", "sync.Pool|sync.Map"),
        ("std::atomic", "What std::atomic<int> costs"),
        ("std::atomic", "std::atomic<T>::load"),
        ("c++", "C++17 at last"),
        ("c++", "c++11/14"),
    ],
)
def test_a_code_like_name_is_found_where_it_goes_on(term: str, title: str) -> None:
    assert classify(titled(title), a_topic(title_terms=(term,)))


def test_a_version_of_c_plus_plus_is_not_c() -> None:
    assert not classify(titled("C++17 at last"), a_topic(title_terms=("C",)))


def test_no_phrase_goes_on_in_another_sentence() -> None:
    topic = a_topic(title_terms=("memory model",))
    assert not classify(titled("We saved memory. Model railways need none"), topic)
    assert classify(titled("A memory model. At last"), topic)


def test_text_without_spaces_has_a_lead_of_its_own_and_tells_what_was_found() -> None:
    content = f"<p>大家好。</p><p>内核{'很长' * 400}</p>"
    (verdict,) = explain(titled("x", content=content, language="zh"), a_topic(title_terms=("内核",)))
    assert [(e.field, e.found) for e in verdict.evidence] == [("lead", "内核")]


@pytest.mark.parametrize("language", ["en", "en-US", "en_US", "EN", "English", ""])
def test_a_language_is_known_in_whatever_way_it_is_written(language: str) -> None:
    assert classify(titled("Goroutines", language=language), a_topic(title_terms=("goroutine",), languages=("en",)))


def test_one_tag_is_no_part_of_another() -> None:
    post = a_post(title="x", summary="", content="", tags=("kernel", "Linux kernel"))
    (verdict,) = explain(post, a_topic(terms=("kernel", "Linux kernel")))
    assert sorted(e.words for e in verdict.evidence) == ["Linux kernel", "kernel"]
