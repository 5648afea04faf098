"""Writes the configuration that an owner starts from, as commented TOML: the site, the chosen source, topics to edit. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from feeds.console.findings import Finding
from feeds.model import Draft, Topic
from feeds.sources.discover import Home
from feeds.text import excerpt, one_line
from feeds.topics.propose import Proposal

_SHOWN_POSTS = 4
_PUBLIC = "http://localhost:8000/"


@dataclass(frozen=True, slots=True)
class Starter:
    """All that goes into the file. ``zone`` is nothing where the dates do not tell; ``pages`` is how many pages were read."""

    home: Home
    chosen: Finding
    others: Sequence[Finding]
    drafts: Sequence[Draft]
    topics: Sequence[Proposal]
    zone: str
    pages: int
    remarks: Sequence[str] = ()


def write_toml(starter: Starter) -> str:
    """The file's text; ``settings.load`` finds it sound."""
    parts = (_head(starter), _site(starter), _source(starter), _others(starter), _topics(starter))
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def language_of(home: Home, drafts: Sequence[Draft]) -> str:
    """The language that the home page declares, else the posts' own, else English."""
    found = home.language or next((draft.language for draft in drafts if draft.language), "")
    return found if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", found) else "en"


def _head(starter: Starter) -> Iterator[str]:
    yield f"# Written by `topicfeeds init {_remark(starter.home.url)}`. Read it, edit it, then: topicfeeds check"
    yield from (f"# {_remark(remark)}" for remark in starter.remarks)


def _site(starter: Starter) -> Iterator[str]:
    home = starter.home
    yield "[site]"
    yield f"title = {_string(home.title or urlsplit(home.url).netloc)}"
    yield f"home = {_string(urljoin(home.url, './').partition('?')[0])}"
    yield f"{'public_url = ' + _string(_PUBLIC):40} # where readers reach topicfeeds: set it before anyone subscribes"
    if home.description:
        yield f"description = {_string(home.description)}"
    yield f"language = {_string(language_of(home, starter.drafts))}"
    why = "guessed from the offsets of the posts' dates" if starter.zone else "the posts' dates do not tell; an IANA name"
    yield f"{'timezone = ' + _string(starter.zone or 'UTC'):40} # where dates without a zone live: {why}"
    if home.author:
        yield f"author = {_string(home.author)}"


def _source(starter: Starter) -> Iterator[str]:
    source = starter.chosen.source
    yield f"# {_remark(starter.chosen.why)}; it gave {_remark(str(starter.chosen))}"
    yield "[[sources]]"
    yield from (f"{name} = {_string(value)}" for name, value in (("id", source.id), ("kind", source.kind), ("url", source.url)))
    if source.include:
        yield f"include = {_list(source.include)}   # {len(starter.chosen.wanted)} of its {len(starter.chosen.posts)}"
    if source.exclude:
        yield f"exclude = {_list(source.exclude)}"
    yield 'every = "30m"'
    if source.enrich:
        yield "enrich = true                            # read tags, dates and authors off the posts' own pages"
    if source.listing:
        pairs = source.listing.model_dump(exclude_none=True).items()
        yield "listing = { " + ", ".join(f"{name} = {_string(value)}" for name, value in pairs) + " }"


def _others(starter: Starter) -> Iterator[str]:
    if starter.others:
        yield "# What else was found:"
    for finding in starter.others:
        yield f"#   {_remark(str(finding))}"


def _topics(starter: Starter) -> Iterator[str]:
    read = f"; {starter.pages} of the newest posts' pages were read for their tags" if starter.pages else ""
    yield f"# Topics proposed from {len(starter.drafts)} posts{read}."
    yield "# A topic gathers posts by evidence: the author's own tags weigh most, then title_terms in the title, then terms."
    if not starter.topics:
        yield "# Nothing repeats often enough to be a topic yet. One looks like this:"
        yield '#   [[topics]]\n#   slug = "go"\n#   title = "Go"\n#   tags = ["go"]\n#   title_terms = ["goroutine*"]'
    for proposal in starter.topics:
        yield from _topic(proposal)


def _topic(proposal: Proposal) -> Iterator[str]:
    topic, titles = proposal.topic, proposal.posts
    yield ""
    yield f"# {len(titles)} posts:"
    yield from (f"#   {_remark(excerpt(title, 100))}" for title in titles[:_SHOWN_POSTS])
    if len(titles) > _SHOWN_POSTS:
        yield f"#   and {len(titles) - _SHOWN_POSTS} more"
    yield from topic_table(topic, remark=proposal.remark)


def topic_table(topic: Topic, *, remark: str = "") -> Iterator[str]:
    """A topic as it stands in a configuration, line by line."""
    yield "[[topics]]"
    yield f"slug = {_string(topic.slug)}" + (f"   # {remark}" if remark else "")
    yield f"title = {_string(topic.title)}"
    for name, words in (("tags", topic.tags), ("title_terms", topic.title_terms), ("terms", topic.terms)):
        if words:
            yield f"{name} = {_list(words)}"


def _string(value: str) -> str:
    """A TOML basic string (TOML 1.0, "String"): JSON's escapes are TOML's."""
    return json.dumps(one_line(value), ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(_string(value) for value in values) + "]"


def _remark(text: str) -> str:
    return one_line(text)
