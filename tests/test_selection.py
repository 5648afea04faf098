"""The algebra over topics: how selections are written, their one normal form, and how they are said in words."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import SelectionError
from feeds.model import ALL
from feeds.topics.selection import LARGEST, LONGEST, Selection, canonical, evaluate, identifier, in_words, parse, resolve

TOPICS = ("a", "b", "c", "d")
EVERY_POST = [set(some) for some in chain.from_iterable(combinations(TOPICS, n) for n in range(len(TOPICS) + 1))]
"""The topics of a post, in every way that there is."""

slugs = st.sampled_from([*TOPICS, ALL])
groups = st.lists(st.lists(slugs, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4).map(tuple)
selections = st.builds(Selection, groups, st.lists(slugs, max_size=3).map(tuple))


def selected(selection):
    return [evaluate(selection, topics) for topics in EVERY_POST]


# -- laws --------------------------------------------------------------------------------------------------------------


@given(selections)
def test_the_normal_form_selects_the_same_posts(selection):
    assert selected(canonical(selection)) == selected(selection)


@given(selections, selections)
def test_two_selections_have_one_normal_form_exactly_when_they_select_the_same_posts(one, other):
    assert (canonical(one) == canonical(other)) == (selected(one) == selected(other))


@given(selections)
def test_a_normal_form_is_its_own_and_reads_back_as_it_is_written(selection):
    normal = canonical(selection)
    assert canonical(normal) == normal
    if normal.any_of:
        assert canonical(parse(str(normal))) == normal
        assert str(canonical(parse(str(normal)))) == str(normal)


@given(selections)
def test_evaluation_is_that_of_sets(selection):
    """Against the sets of posts themselves."""
    posts = dict(enumerate(EVERY_POST))
    members = {slug: {n for n, topics in posts.items() if slug in topics} for slug in TOPICS} | {ALL: set(posts)}
    wanted = set().union(*(set.intersection(*(members[slug] for slug in group)) for group in selection.any_of))
    expected = wanted - set().union(*(members[slug] for slug in selection.without))
    assert {n for n, topics in posts.items() if evaluate(selection, topics)} == expected


@given(st.text(alphabet="ab-+, AL"))
def test_whatever_is_written_is_read_or_refused_and_its_normal_form_stays(text):
    try:
        normal = resolve(parse(text), TOPICS)
    except SelectionError:
        return
    assert resolve(parse(str(normal)), TOPICS) == normal


# -- how it is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("a", "a"),
        ("all", "all"),
        ("b,a", "a,b"),
        ("b+a", "a+b"),
        ("a,a", "a"),
        ("a+a", "a"),
        ("a,a+b", "a"),
        ("all,a", "all"),
        ("all+a", "a"),
        ("-c", "all,-c"),
        ("-c,-b", "all,-b,-c"),
        ("all,-c", "all,-c"),
        ("-c,a", "a,-c"),
        ("c,a+b", "a+b,c"),
        ("b,c+a,c+a+d", "a+c,b"),
        ("a+-c", "a,-c"),
        ("-c+a", "a,-c"),
        ("-a+-b", "all,-a,-b"),
        ("a,b,-a", "b,-a"),
        ("a+b,c,-b", "c,-b"),
        (" A , b ", "a,b"),
        ("a b", "a+b"),
        ("a + b", "a+b"),
        ("a, - c", "a,-c"),
        ("a -c", "a,-c"),
        (",a,,b,", "a,b"),
        ("a++b", "a+b"),
        ("+a+", "a"),
        ("a,-", "a"),
    ],
)
def test_normal_forms(written, normal):
    assert str(resolve(parse(written), TOPICS)) == normal


def test_slugs_have_hyphens_and_points_of_their_own():
    assert str(resolve(parse("go-1.22,-a-b"), ["go-1.22", "a-b"])) == "go-1.22,-a-b"


@pytest.mark.parametrize("written", ["", " ", ",", "+", "-", ",-,+"])
def test_no_term_at_all_is_refused(written):
    with pytest.raises(SelectionError, match="names no topic"):
        parse(written)


@pytest.mark.parametrize("written", ["a,-a", "a+b,-b", "-all", "all,-all", "a,-all", "a,b,-b,-a"])
def test_what_excludes_all_it_asks_for_is_refused(written):
    with pytest.raises(SelectionError, match="excludes everything"):
        resolve(parse(written), TOPICS)


@pytest.mark.parametrize("written", ["a+-c,b", "b,-c+a"])
def test_an_exclusion_that_would_hold_for_one_group_alone_is_refused(written):
    with pytest.raises(SelectionError, match="holds for the whole selection"):
        parse(written)


def test_at_most_eight_topics():
    names = [f"t{n}" for n in range(LARGEST + 1)]
    assert parse(",".join(["all", *names[:LARGEST]])).topics
    assert str(resolve(parse(",".join(f"-{name}" for name in names[:LARGEST])), names)).startswith("all,-t0,")
    for separator in (",", "+"):
        with pytest.raises(SelectionError, match="at most 8"):
            parse(separator.join(names))


@pytest.mark.parametrize("separator", [",", "+", "+ALL+", ", "])
def test_a_topic_that_is_named_again_and_again_is_one(separator):
    assert {*parse(separator.join("ABCDEFGH" * 9)).topics} - {ALL} == {*"abcdefgh"}
    assert str(resolve(parse(",".join(["A", "a"] * LARGEST)), TOPICS)) == "a"


def test_a_topic_in_several_groups_counts_in_each_that_is_not_absorbed():
    """Each is a question of its own to the database: seventy groups of four, of eight topics, would take it many seconds."""
    assert len(parse("a+b,a+c,a+d,b+c").any_of) == 4
    assert str(resolve(parse("a+b,a+c,a+d,b+c,b+d,a,b"), TOPICS)) == "a,b"
    for groups in (combinations("abcd", 2), combinations("abcdefgh", 4)):
        with pytest.raises(SelectionError, match="counts in each"):
            parse(",".join(map("+".join, groups)))


def test_what_is_written_at_length_is_not_read():
    assert parse("a".ljust(LONGEST, ",")).topics == ("a",)
    with pytest.raises(SelectionError, match="at most 2000 characters"):
        parse("a".ljust(LONGEST + 1, ","))


@pytest.mark.parametrize(
    ("written", "named"), [("a,none", "no topic 'none'"), ("-none", "no topic 'none'"), ("x+a,-y", "no topics 'x', 'y'")]
)
def test_unknown_topics_are_named(written, named):
    with pytest.raises(SelectionError, match=named):
        resolve(parse(written), TOPICS)


def test_a_message_repeats_little_of_what_it_was_sent():
    with pytest.raises(SelectionError) as refused:
        resolve(parse("x" * LONGEST), TOPICS)
    assert len(str(refused.value)) < 200


# -- renamed and retired -----------------------------------------------------------------------------------------------


def test_former_slugs_become_present_ones_before_the_normal_form():
    assert str(resolve(parse("old,c"), TOPICS, aliases={"old": "b"})) == "b,c"
    assert str(resolve(parse("old,b"), TOPICS, aliases={"old": "b"})) == "b"


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("b,-old", "b"),
        ("old,-b", "b"),
        ("old,-older", "b"),
        ("a,b,-old", "a,b"),
        ("a+b,-old", "a+b"),
        ("a,b,-b,-old", "a,-b"),
        ("b,old,-b", "b"),
        ("a,-old", "a,-b"),
        ("all,-old", "all,-b"),
        ("b,-old,-c", "b,-c"),
    ],
)
def test_an_exclusion_of_what_has_become_one_with_what_is_asked_for_is_dropped(written, left):
    assert str(resolve(parse(written), TOPICS, aliases={"old": "b", "older": "b"})) == left


@pytest.mark.parametrize("written", ["old,-old", "b,-b,-old", "old,-old,-b", "a+old,-a"])
def test_what_excluded_all_it_asked_for_before_a_merge_does_so_after_it(written):
    with pytest.raises(SelectionError, match="excludes everything"):
        resolve(parse(written), TOPICS, aliases={"old": "b"})


RETIRED = {"gone": "", "away": "https://elsewhere.example/", "every": ALL, "moved": "b", "further": "former", "once": "moved"}


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("a,gone", "a"),
        ("a,c,gone", "a,c"),
        ("a,away", "a"),
        ("a,every", "a"),
        ("a,moved", "a,b"),
        ("b,moved", "b"),
        ("moved", "b"),
        ("a+moved", "a+b"),
        ("a,further", "a,b"),
        ("a,once", "a,b"),
        ("a+gone,c", "c"),
        ("a,-gone", "a"),
        ("a,-moved", "a"),
        ("a+b,-gone", "a+b"),
        ("-gone", "all"),
        ("all,gone", "all"),
        ("a,moved,-b", "a,-b"),
    ],
)
def test_what_is_left_without_retired_topics(written, left):
    assert str(resolve(parse(written), TOPICS, aliases={"former": "b"}, retired=RETIRED)) == left


@pytest.mark.parametrize(
    ("written", "named"),
    [("gone", "gone"), ("a+gone", "gone"), ("gone,away", "away gone"), ("gone,-c", "gone"), ("moved,-b", "moved")],
)
def test_nothing_is_left_without_retired_topics(written, named):
    with pytest.raises(SelectionError, match="Retired: ") as refused:
        resolve(parse(written), TOPICS, retired=RETIRED)
    assert refused.value.retired == tuple(named.split())


def test_unknown_topics_are_named_before_retired_ones():
    with pytest.raises(SelectionError, match="no topic 'none'") as refused:
        resolve(parse("a,gone,none"), TOPICS, retired=RETIRED)
    assert refused.value.retired == ()


def test_retired_topics_that_lead_to_one_another_lead_nowhere():
    assert str(resolve(parse("a,x"), TOPICS, retired={"x": "y", "y": "x"})) == "a"


def test_its_identity_outlives_a_rename():
    before = identifier(parse("a+b,-c"), {"a": "id-a", "b": "id-b", "c": "id-c"})
    after = identifier(parse("a+z,-c"), {"a": "id-a", "z": "id-b", "c": "id-c"})
    assert before == after
    assert before != identifier(parse("a,b,-c"), {"a": "id-a", "b": "id-b", "c": "id-c"})


# -- in words ----------------------------------------------------------------------------------------------------------

TITLES = {ALL: "All posts", "a": "eBPF", "b": "Kernel internals", "c": "Assembly", "d": "Go concurrency"}
NAMES = {ALL: "all posts", "a": "eBPF", "b": "kernel internals", "c": "assembly", "d": "Go concurrency"}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a,b,-c", "eBPF or kernel internals, without assembly"),
        ("b,d", "Kernel internals or Go concurrency"),
        ("a+b", "eBPF and kernel internals"),
        ("b,c,d", "Kernel internals, assembly or Go concurrency"),
        ("a+b+d,-c", "eBPF, kernel internals and Go concurrency, without assembly"),
        ("a+b,d", "eBPF and kernel internals, or Go concurrency"),
        ("-c", "All posts, without assembly"),
        ("-c,-b,-d", "All posts, without kernel internals, assembly or Go concurrency"),
    ],
)
def test_in_words(written, words):
    assert in_words(resolve(parse(written), TITLES), TITLES, NAMES) == words
