"""Writes Atom 1.0 (RFC 4287) with feedgen."""

from __future__ import annotations

from typing import Any

from feeds.formats.chain import atom_elements
from feeds.formats.extensions import Element, new_generator, spell_titles
from feeds.model import Feed, Person, Post

MEDIA_TYPE = "application/atom+xml"


def render(feed: Feed) -> bytes:
    """The feed as an Atom document in UTF-8."""
    generator = new_generator()
    generator.id(feed.id)
    generator.title(feed.title)
    generator.subtitle(feed.description)
    generator.updated(feed.updated)
    generator.language(feed.site.language)
    generator.generator("topicfeeds")
    generator.author({"name": feed.site.author or feed.site.title, "uri": feed.site.home})
    if feed.site.image:
        generator.logo(feed.site.image)
    generator.link(href=feed.urls["atom"], rel="self", type=MEDIA_TYPE)
    generator.link(href=feed.home, rel="alternate", type="text/html")
    generator.extra.elements += atom_elements(feed, MEDIA_TYPE)
    for post in feed.posts:
        _add_entry(generator.add_entry(order="append"), post)
    return spell_titles(generator.atom_str(pretty=False))


def _add_entry(entry: Any, post: Post) -> None:
    entry.id(post.id)
    entry.title(post.title)
    entry.published(post.published)
    entry.updated(post.updated)
    entry.link(href=post.url)
    entry.author([_person(person) for person in post.authors])
    if post.summary:
        entry.summary(post.summary, type="html")
    if post.content:
        entry.content(post.content, type="html")
    for tag in post.tags:
        entry.category(term=tag)
    for file in post.enclosures:
        attributes = {"rel": "enclosure", "href": file.url, "type": file.media_type}
        if file.length:
            attributes["length"] = str(file.length)
        entry.extra.elements.append(Element("link", attributes=attributes))


def _person(person: Person) -> dict[str, str]:
    written = {"name": person.name, "email": person.email if "@" in person.email else "", "uri": person.url}
    return {key: value for key, value in written.items() if value}
