"""Proposes topics for a blog: from its authors' tags, and without them from the phrases that its titles and summaries repeat. Pure.

A proposal is a beginning for the owner to edit; the same posts give the same proposal, in the same order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import snowballstemmer

from feeds.model import Draft, Post, Topic
from feeds.slugs import slug_of
from feeds.terms import pattern_in
from feeds.text import excerpt, one_line, plain
from feeds.topics.classify import Classifier

MOST_TOPICS = 8
_LEAST_POSTS = 2
_NEARLY_ALL = 0.7
_BEGINNING = 600
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NO_TOPICS = frozenset(
    """
    blog blogs post posts article articles general misc miscellaneous other uncategorized uncategorised featured news archive home
    all draft page untitled
    """.split()  # noqa: SIM905  a list of words reads as words
)
_STOP = frozenset(
    """
    a about above across actually after again all almost along already also although always am among an and another any
    anything are around as at away back be became because become been before behind being best better between big both but
    by call came can cannot come could day did different do does doing done down during each easy either else end enough
    even ever every everything few find first for from full get gets getting give gives go goes going good got great had
    hard has have having he her here him his how however i if in inside into introduction is isn it its itself just keep
    kind know last later least less let like little long look lot made make makes making many may me mean means might more
    most much must my need needs never new next no not nothing now of off often old on once one only onto or other our out
    over own part people place please possible post posts put quick rather really reading release released right said same
    say see several she should show simple since small so some something still such take than that the their them then there
    these they thing things think this those three through time to today together too took two under until up update upon us
    use used useful uses using very want was way ways we week well went were what when where whether which while who whole
    why will with within without won word words work working works would writing year years yet you your article blog read
    welcome aren don doesn didn can't don't doesn't isn't aren't it's that's you're won't
    """.split()  # noqa: SIM905  a list of words reads as words
)
_TOKEN = re.compile(r"\.?[^\W\d_][\w]*(?:[.\-'’_][\w]+)*(?:\+\+|#)?")

_WILD = re.compile(r"\*(?!\w)")
"""Where an author's tag would be read as the beginning of other words."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A topic, the titles of the posts that it would gather, and a remark for the owner where one is due."""

    topic: Topic
    posts: tuple[str, ...]
    remark: str = ""


@dataclass(slots=True)
class Label:
    """What may become a topic: its spellings, and the posts that brought it."""

    spellings: Counter[str]
    posts: set[int]
    is_tag: bool
    weight: float = 0.0


def propose_topics(drafts: Sequence[Draft], *, language: str = "en") -> tuple[Proposal, ...]:
    """Up to eight topics, those of most posts first; each gathers two posts at least and not nearly all of them."""
    posts = [_post(number, draft) for number, draft in enumerate(drafts)]
    labels = tag_labels(posts) or phrase_labels(posts)
    weighed: list[tuple[float, str, Topic, tuple[int, ...]]] = []
    for label in labels:
        topic = topic_of(label)
        gathered = _gathered(posts, topic, language)
        if _LEAST_POSTS <= len(gathered) <= max(_NEARLY_ALL * len(posts), _LEAST_POSTS):
            rank = len(gathered) if label.is_tag else label.weight
            weighed.append((-rank, topic.title.casefold(), topic, gathered))
    return tuple(_chosen(sorted(weighed, key=lambda item: item[:2]), posts))


def _chosen(weighed: Iterable[tuple[float, str, Topic, tuple[int, ...]]], posts: Sequence[Post]) -> Iterator[Proposal]:
    """The first eight that differ from one another; a topic of the same posts as an earlier one adds nothing."""
    taken: set[str] = set()
    seen: list[set[int]] = []
    for _, _, topic, gathered in weighed:
        if any(len(earlier & set(gathered)) > 0.8 * len(earlier | set(gathered)) for earlier in seen):
            continue
        number = len(seen) + 1
        slug = slug_of(topic.title)
        remark = "" if slug else "choose a slug in Latin letters before anyone subscribes: it is part of the feeds' addresses"
        slug = free_slug(slug or f"topic-{number}", taken)
        seen.append(set(gathered))
        yield Proposal(topic.model_copy(update={"slug": slug}), tuple(posts[n].title for n in gathered), remark)
        if number == MOST_TOPICS:
            return


def free_slug(slug: str, taken: set[str]) -> str:
    """The slug, or one with a number behind it that is not taken; it is, afterwards."""
    candidate, counter = slug, 2
    while candidate in taken:
        candidate, counter = f"{slug[:60]}-{counter}", counter + 1
    taken.add(candidate)
    return candidate


def _gathered(posts: Sequence[Post], topic: Topic, language: str) -> tuple[int, ...]:
    classifier = Classifier([topic], language=language or "en")
    return tuple(number for number, post in enumerate(posts) if classifier.classify(post))


def topic_of(label: Label) -> Topic:
    """Tags decide where there are tags; a title that names the subject counts as well, unless the name says too little."""
    spelling = min(label.spellings, key=lambda name: (-label.spellings[name], name))
    title = spelling if label.is_tag and spelling != spelling.lower() else spelling[:1].upper() + spelling[1:]
    telling = len(spelling) >= 3 and spelling.casefold() not in _STOP and pattern_in(spelling) is None
    terms = (spelling,) if telling else ()
    tags = tuple(sorted(label.spellings, key=str.casefold)) if label.is_tag else ()
    return Topic(slug="topic", title=title, tags=tags, title_terms=terms, terms=() if label.is_tag else terms)


def tag_labels(posts: Sequence[Post]) -> list[Label]:
    """The authors' tags, case and plural folded; those that name no subject, or more than themselves, are left out."""
    labels: dict[str, Label] = {}
    for number, post in enumerate(posts):
        for tag in post.tags:
            name = one_line(tag).lstrip("#").strip()
            folded = " ".join(_fold(word) for word in name.casefold().split())
            if folded and name.casefold() not in _NO_TOPICS and len(name) <= 60 and not _WILD.search(name):
                label = labels.setdefault(folded, Label(Counter(), set(), is_tag=True))
                label.spellings[name] += 1
                label.posts.add(number)
    return [labels[key] for key in sorted(labels)]


def phrase_labels(posts: Sequence[Post]) -> list[Label]:
    """Phrases of one or two words that several titles or summaries share; a word inside a phrase of the same posts is left out."""
    labels: dict[tuple[str, ...], Label] = {}
    for number, post in enumerate(posts):
        for weight, text in ((3.0, post.title), (0.5, excerpt(plain(post.summary or post.content), _BEGINNING))):
            for phrase, spelling in _phrases(text):
                label = labels.setdefault(phrase, Label(Counter(), set(), is_tag=False))
                label.spellings[spelling] += 1
                label.weight += 0.0 if number in label.posts else weight * len(phrase)
                label.posts.add(number)
    named = set().union(*(dict(_phrases(post.title)) for post in posts))
    repeated = {phrase: label for phrase, label in labels.items() if len(label.posts) >= _LEAST_POSTS and phrase in named}
    inner: defaultdict[str, int] = defaultdict(int)
    for phrase, label in repeated.items():
        for word in phrase if len(phrase) > 1 else ():
            inner[word] = max(inner[word], len(label.posts))
    kept = [(p, label) for p, label in repeated.items() if len(p) > 1 or inner[p[0]] < 0.7 * len(label.posts)]
    kept.sort(key=lambda item: (-item[1].weight, item[0]))
    return [label for _, label in kept[: 4 * MOST_TOPICS]]


def _phrases(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Words and pairs of neighbours, folded, with their spelling; nothing reaches across a stop word or a sign."""
    previous: tuple[str, str, int] | None = None
    for match in _TOKEN.finditer(text):
        word = re.sub(r"['’]s$", "", match[0])
        folded = _fold(word.casefold())
        if len(word) < 2 or word.casefold().replace("’", "'") in _STOP:
            previous = None
            continue
        if len(word) > 2:
            yield (folded,), word
        if previous and text[previous[2] : match.start()] == " ":
            yield (previous[0], folded), f"{previous[1]} {word}"
        previous = (folded, word, match.end())


def _fold(word: str) -> str:
    """A word without its plural; code-like words stay as they are."""
    return str(snowballstemmer.stemmer("english").stemWord(word)) if word.isalpha() and word.isascii() else word


def _post(number: int, draft: Draft) -> Post:
    """A draft as the classifier reads it; what only identity and storage need is filled with constants."""
    moment = draft.published or draft.updated or _EPOCH
    digest = hashlib.sha256(draft.url.encode("utf-8", "replace")).hexdigest()
    return Post(
        id=f"{number}",
        source="",
        url=draft.url,
        title=one_line(draft.title) or draft.url,
        summary=draft.summary,
        content=draft.content,
        authors=draft.authors,
        tags=draft.tags,
        published=moment,
        updated=moment,
        first_seen=moment,
        published_raw="",
        language=draft.language,
        image="",
        enclosures=(),
        digest=digest,
    )
