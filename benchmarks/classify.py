"""How fast stored posts are judged anew: many posts against a thousand topics, on one core, with the memory that takes.

``python -m benchmarks.classify [--posts N] [--topics N] [--peer N]`` classifies synthetic posts of ordinary length (about 900 words
of a Zipfian vocabulary, with headings and a block of code). The peer does the same for a sample of the posts with one compiled
alternation of ``re`` per topic, which is what one writes first.
"""

import argparse
import random
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from feeds.configuration import Topic
from feeds.model import Post
from feeds.text import plain
from feeds.topics.classify import Classifier

_VOCABULARY = 20_000
_WORDS = 900
_SYLLABLES = [
    consonant + vowel for consonant in ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "st", "tr") for vowel in "aeiou"
]
_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    rng = random.Random(1)  # noqa: S311  not for secrets
    words = [_word(rng) for _ in range(_VOCABULARY)]
    topics = tuple(_topic(number, rng, words) for number in range(asked.topics))
    began = time.perf_counter()
    classifier = Classifier(topics, language="en")
    classifier.classify(next(_posts(1, words)))
    terms = sum(len(topic.terms) + len(topic.title_terms) for topic in topics)
    print(f"{asked.topics} topics of {terms} terms: {time.perf_counter() - began:.1f} s to compile")
    spent, memberships = 0.0, 0
    for post in _posts(asked.posts, words):
        began = time.process_time()
        memberships += len(classifier.classify(post))
        spent += time.process_time() - began
    ours = asked.posts / spent
    print(f"{asked.posts} posts: {ours:.0f} posts/s on one core ({spent:.0f} s), {memberships / asked.posts:.2f} topics per post")
    print(f"memory: {_peak_mib():.0f} MiB at the most")
    peers = _peer(topics, list(_posts(asked.peer, words)))
    print(f"a regular expression per topic, {asked.peer} posts: {peers:.1f} posts/s; the trie is {ours / peers:.0f} times as fast")


def _peer(topics: Sequence[Topic], posts: Sequence[Post]) -> float:
    """Posts per second when every topic searches every post."""
    either = ["|".join(map(re.escape, topic.title_terms + topic.terms)) for topic in topics]
    each = [re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in either]
    began = time.process_time()
    for post in posts:
        text = f"{post.title} {plain(post.summary)} {plain(post.content)}"
        for pattern in each:
            pattern.findall(text)
    return len(posts) / (time.process_time() - began)


def _posts(count: int, words: Sequence[str]) -> Iterator[Post]:
    rng = random.Random(2)  # noqa: S311  not for secrets
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    for number in range(count):
        drawn = iter(rng.choices(words, cum_weights=weights, k=_WORDS))
        title = " ".join(next(drawn) for _ in range(7))
        summary = " ".join(next(drawn) for _ in range(30))
        said = list(drawn)
        paragraphs = "".join(f"<p>{' '.join(said[n : n + 80])}.</p>" for n in range(0, len(said), 80))
        content = f"<h2>{said[0]} {said[1]}</h2>{paragraphs}<pre><code>{' '.join(said[:40])}</code></pre>"
        yield Post(
            id=str(number), source="blog", url=f"https://blog.example/{number}/", title=title, summary=summary, content=content,
            authors=(), tags=tuple(said[:3]),
            published=_DAY, updated=_DAY, first_seen=_DAY, published_raw="", language="en", image="",
            enclosures=(), digest="",
        )  # fmt: skip


def _topic(number: int, rng: random.Random, words: Sequence[str]) -> Topic:
    """Thirty of the rarer words, a third of them phrases of two."""
    rare = words[2_000:]
    one = [rng.choice(rare) for _ in range(20)]
    two = [f"{rng.choice(rare)} {rng.choice(rare)}" for _ in range(10)]
    return Topic(
        slug=f"topic-{number}", title=f"Topic {number}", title_terms=tuple(one[:8] + two[:4]), terms=tuple(one[8:] + two[4:])
    )


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4)))


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Classify synthetic posts.")
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--topics", type=int, default=1_000)
    parser.add_argument("--peer", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
