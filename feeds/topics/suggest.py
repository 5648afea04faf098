"""Suggests topics to a publication that has some: what its unclaimed posts, and its authors' unclaimed tags, call for. Pure.

A tag or a post is unclaimed when no topic wants it. The same posts give the same suggestions, in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from feeds.model import Post, Topic
from feeds.slugs import slug_of
from feeds.topics.classify import Classifier
from feeds.topics.propose import Label, free_slug, phrase_labels, tag_labels, topic_of

_LEAST_POSTS = 2
_NEARLY_ALL = 0.7
_ALIKE = 0.8
_MOST_TAGS = 200


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A topic, the posts that it would gather, and which of them are in no topic now. ``remark`` is for the owner."""

    topic: Topic
    posts: tuple[Post, ...]
    unclaimed: frozenset[str]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A publication: its newest posts with the topics that each is in, its rules, and every slug that is or ever was one."""

    posts: Sequence[tuple[Post, Collection[str]]]
    topics: Sequence[Topic]
    slugs: Collection[str]
    named: Mapping[str, str]
    language: str


def suggest(known: Known) -> tuple[Suggestion, ...]:
    """Topics, those first that gather most unclaimed posts; none that is like another or like one there is."""
    posts = [post for post, _ in known.posts]
    unclaimed = frozenset(post.id for post, topics in known.posts if not topics)
    candidates = [topic_of(label) for label in _labels(known, posts, unclaimed)]
    chosen = list(_chosen(known, posts, candidates, unclaimed))
    gathered = _gathered(posts, [topic for topic, _ in chosen], known.language)
    suggestions = [
        Suggestion(topic, tuple(posts[n] for n in numbers), unclaimed.intersection(posts[n].id for n in numbers), remark)
        for (topic, remark), numbers in zip(chosen, gathered, strict=True)
    ]
    return tuple(suggestion for suggestion in suggestions if len(suggestion.posts) >= _LEAST_POSTS)


def _labels(known: Known, posts: Sequence[Post], unclaimed: Collection[str]) -> list[Label]:
    """Tags that no topic wants, the most frequent first, then phrases that unclaimed posts share."""
    tags = [label for label in tag_labels(posts) if len(label.posts) >= _LEAST_POSTS]
    tags.sort(key=lambda label: (-len(label.posts), min(label.spellings)))
    wanted = _wanted([name for label in tags[:_MOST_TAGS] for name in label.spellings], known, posts)
    free = [label for label in tags[:_MOST_TAGS] if wanted.isdisjoint(label.spellings)]
    return [*free, *phrase_labels([post for post in posts if post.id in unclaimed])]


def _wanted(tags: Iterable[str], known: Known, posts: Sequence[Post]) -> set[str]:
    """The tags that alone bring a post into a topic, whatever else that needs."""
    classifier = Classifier(known.topics, language=known.language)
    bare = [replace(posts[0], title="", summary="", content="", tags=(tag,)) for tag in tags]
    return {post.tags[0] for post in bare if any(verdict.score >= verdict.threshold for verdict in classifier.explain(post))}


def _chosen(
    known: Known, posts: Sequence[Post], candidates: Sequence[Topic], unclaimed: Collection[str]
) -> Iterator[tuple[Topic, str]]:
    """The best candidates under slugs that are free, each with a remark where one is due."""
    placed = [topic.model_copy(update={"slug": f"candidate-{n}"}) for n, topic in enumerate(candidates)]
    ranked = sorted(
        zip(placed, _gathered(posts, placed, known.language), strict=True),
        key=lambda pair: (-sum(posts[n].id in unclaimed for n in pair[1]), -len(pair[1]), pair[0].title.casefold()),
    )
    seen, taken = _present(known), set(known.slugs)
    spelt = {name.casefold(): slug for name, slug in known.named.items()}
    found = 0
    for topic, numbers in ranked:
        enough = _LEAST_POSTS <= len(numbers) <= max(_NEARLY_ALL * len(posts), _LEAST_POSTS)
        if not enough or any(_are_alike(numbers, others) for others in seen):
            continue
        found += 1
        seen.append(numbers)
        slug = spelt.get(topic.title.casefold()) or slug_of(topic.title)
        remark = "" if slug else "choose a slug in Latin letters before anyone subscribes: it is part of the feeds' addresses"
        yield topic.model_copy(update={"slug": free_slug(slug or f"topic-{found}", taken)}), remark


def _present(known: Known) -> list[set[int]]:
    """The posts of each topic that there is, by number."""
    found: dict[str, set[int]] = {}
    for number, (_, topics) in enumerate(known.posts):
        for topic in topics:
            found.setdefault(topic, set()).add(number)
    return list(found.values())


def _are_alike(some: set[int], others: set[int]) -> bool:
    return len(some & others) > _ALIKE * len(some | others)


def _gathered(posts: Sequence[Post], topics: Sequence[Topic], language: str) -> list[set[int]]:
    """The numbers of the posts that each topic would gather."""
    classifier, found = Classifier(topics, language=language), {topic.slug: set[int]() for topic in topics}
    for number, post in enumerate(posts):
        for membership in classifier.classify(post):
            found[membership.topic].add(number)
    return list(found.values())
