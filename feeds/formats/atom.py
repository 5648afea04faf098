"""Writes Atom 1.0 (RFC 4287) with feedgen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from feeds.formats import elements
from feeds.formats.chain import atom_elements
from feeds.formats.extensions import NAMESPACES, XML, Element, new_entry, new_generator, serialise, spell_titles
from feeds.model import Feed, Origin, Person, Post

MEDIA_TYPE = "application/atom+xml"


SEPARATOR, END = b"", b"</feed>"
"""What stands between entries, and after the last."""


def head(feed: Feed) -> bytes:
    """The beginning of an Atom document in UTF-8, up to its entries."""
    generator = new_generator()
    _describe(generator, feed)
    generator.link(href=feed.urls["atom"], rel="self", type=MEDIA_TYPE)
    for hub in feed.hubs:
        generator.link(href=hub, rel="hub")
    generator.link(href=feed.home, rel="alternate", type="text/html")
    generator.extra.stylesheet = elements.stylesheet_url(feed)
    generator.extra.attributes[f"{{{XML}}}base"] = _base(feed)
    generator.extra.elements += [*atom_elements(feed, MEDIA_TYPE), elements.signpost(feed)]
    return spell_titles(generator.atom_str(pretty=False)).removesuffix(END)


def moment(updated: datetime) -> bytes:
    """When the feed was last changed, as the head has it."""
    return f"<updated>{updated.isoformat()}</updated>".encode()


def entry(post: Post, feed: Feed) -> bytes:
    """An entry as it stands in the document."""
    written = new_entry()
    _fill(written, post, feed)
    return serialise(written.atom_entry(), NAMESPACES)


def _describe(generator: Any, feed: Feed) -> None:
    site = feed.site
    generator.id(feed.id)
    generator.title(feed.title)
    generator.subtitle(feed.description)
    generator.updated(feed.updated)
    generator.language(site.language)
    generator.generator("topicfeeds")
    generator.author({"name": site.author or site.title, "uri": site.home})
    generator.category(term=feed.slug, scheme=feed.home, label=feed.label or feed.title)
    if site.rights:
        generator.rights(site.rights)
    if site.image:
        generator.logo(site.image)
    if site.icon:
        generator.icon(site.icon)


def _base(feed: Feed) -> str:
    """What relative links would rest on. There are none; but a link to the base itself is one to this document (RFC 3986 §4.4)."""
    return feed.site.home if feed.home == feed.site.public_url else feed.site.public_url


def _fill(entry: Any, post: Post, feed: Feed) -> None:
    entry.id(post.id)
    entry.title(post.title)
    entry.published(post.published)
    entry.updated(elements.updated_of(post))
    entry.link(href=post.url)
    entry.author([_person(person) for person in post.authors])
    if post.summary:
        entry.summary(elements.spell_html(post.summary), type="html")
    if post.content and feed.content == "full":
        entry.content(elements.spell_html(post.content), type="html")
    for tag in post.tags:
        entry.category(term=tag)
    if language := elements.language_of(post, feed):
        entry.extra.attributes[f"{{{XML}}}lang"] = language
    entry.extra.elements += [*map(_enclosure, post.enclosures), *elements.picture(post)]
    if origin := elements.origin_of(post, feed):
        entry.extra.elements.append(_source(origin, post))


def _enclosure(file: Any) -> Element:
    attributes = {"rel": "enclosure", "href": file.url, "type": elements.media_type_of(file)}
    if file.length:
        attributes["length"] = str(file.length)
    return Element("link", attributes=attributes)


def _source(origin: Origin, post: Post) -> Element:
    """Where the post comes from (§4.2.11); an entry without authors has those of its source (§4.2.1)."""
    written = [
        Element("id", origin.url),
        Element("title", origin.title),
        Element("updated", post.updated.isoformat()),
        Element("link", attributes={"rel": "self", "href": origin.url}),
    ]
    nobody = [] if post.authors else [Element("author", children=(Element("name", origin.title),))]
    return Element("source", children=(*written, *nobody))


def _person(person: Person) -> dict[str, str]:
    written = {"name": person.name, "email": person.email if "@" in person.email else "", "uri": person.url}
    return {key: value for key, value in written.items() if value}
