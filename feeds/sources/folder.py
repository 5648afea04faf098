"""Reads a post from a file of a static site's source: Hugo, Jekyll, Astro, Eleventy, Zola, the Go blog.

It sees one file at a time as ``file:`` and its path below the source's folder, and never the folder itself. What a site would
not publish (drafts, redirects, section pages, a generator's own folders) is no post and no fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from pathlib import PurePosixPath
from typing import Any

from feeds.model import Document, Draft, Parsed, Person, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.front_matter import FrontMatterError, entries, is_set, scalar, split, words
from feeds.sources.markdown import heading, lead, render, render_phrase
from feeds.sources.permalink import Location, below, expand, urlise
from feeds.text import absolute, one_line, plain

_SCHEME = "file:"
_HTML = (".html", ".htm")
_KEPT = ("_posts", "_content")
_ABOUT = ("readme", "license", "changelog", "contributing", "code_of_conduct", "security")
_TAGS = ("tags", "tag", "topics", "categories", "category")
_DATES = ("date", "publishdate", "pubdate", "published")
_UPDATES = ("updated", "lastmod", "modified", "lastmodified", "last_modified_at", "modified_time", "updateddate")
_IMAGES = ("image", "cover", "featured", "featured_image", "featuredimage", "images", "heroimage", "ogimage", "banner", "thumbnail")


def recognises(document: Document) -> bool:
    """Whether the document is a file of a folder."""
    return document.url.startswith(_SCHEME)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:
    """Read the post that a file holds, if it holds one. Never raises: a file that cannot be read is set aside with the reason."""
    path = document.url.removeprefix(_SCHEME)
    if _is_private(path):
        return Parsed(())
    try:
        found, text = split(_decoded(document.body))
    except FrontMatterError as error:
        return Parsed((), (SetAside(document.url, "", str(error)),))
    values = found or {}
    if not _is_post(path, found, text):
        return Parsed(())
    draft = _draft(path, values, text, source, zone)
    if not draft.url:
        return Parsed((), (SetAside(document.url, draft.title, f"has no date, which its URL needs ({source.permalink})"),))
    return Parsed((draft,))


def _is_private(path: str) -> bool:
    """Whether the generator keeps the file for itself: names that begin with ``_`` or ``.``, a section's ``_index.md`` too."""
    return any(name.startswith((".", "_")) and name not in _KEPT for name in path.split("/"))


def _is_post(path: str, values: Mapping[str, Any] | None, text: str) -> bool:
    """What a site's generator would write as a page of its own and list among its posts."""
    name = PurePosixPath(path)
    if values is None:
        return name.suffix.lower() not in _HTML and name.stem.lower() not in _ABOUT and bool(text.strip())
    if scalar(values, "redirect", "redirect_to", "redirect_url"):
        return False
    held_back = is_set(values, "draft", to=True) or scalar(values, "status").lower() in ("draft", "hidden")
    unlisted = is_set(values, "eleventyexcludefromcollections", to=True) or values.get("permalink") is False
    return not (held_back or unlisted or is_set(values, "published", to=False)) and bool(values or text.strip())


def _draft(path: str, values: Mapping[str, Any], text: str, source: Source, zone: tzinfo) -> Draft:
    location = Location.of(path)
    is_html = path.lower().endswith(_HTML)
    title = _title(values) or plain(heading(text, is_html=is_html)) or _named(location)
    published, raw = _published(values, location, zone)
    url, aliases = _addresses(values, title, location, published.astimezone(zone) if published else None, source)
    summary = scalar(values, "summary", "description", "excerpt")
    return Draft(
        guid=scalar(values, "guid", "uuid", "id"),
        url=url,
        title=title,
        summary=render_phrase(summary) or render(lead(text, scalar(values, "excerpt_separator")), is_html=is_html),
        content=render(_without_imports(text) if path.endswith(".mdx") else text, is_html=is_html),
        base=_base(url, location),
        authors=tuple(dict.fromkeys(_authors(values))),
        tags=words(values, *_TAGS) or words(values, "keywords"),
        published=published,
        updated=_moment(scalar(values, *_UPDATES), zone),
        published_raw=raw,
        language=scalar(values, "language", "lang", "locale").replace("_", "-"),
        image=absolute(image, url) if (image := _image(values)) and url else "",
        aliases=aliases,
    )


def _title(values: Mapping[str, Any]) -> str:
    """The title as text: ``Box<T>`` is a type, where nothing closes an element and no entity is written."""
    title = scalar(values, "title")
    return plain(title) if re.search(r"</\w|&(?:#?\w+);", title) else title


def _published(values: Mapping[str, Any], location: Location, zone: tzinfo) -> tuple[datetime | None, str]:
    """The front matter's date, else the file name's, and the words it was written in.

    Hugo publishes no post before its ``publishDate`` (gohugo.io/content-management/front-matter): a later one wins over ``date``.
    """
    raw = scalar(values, *_DATES) or location.day
    moment = _moment(raw, zone) or _moment(location.day, zone)
    release = scalar(values, "publishdate")
    later = _moment(release, zone)
    return (later, release) if later and (not moment or moment < later) else (moment, raw)


def _moment(raw: str, zone: tzinfo) -> datetime | None:
    """A date, whose month, day and hour may have been written with one digit, as YAML allows (yaml.org/type/timestamp.html)."""
    found = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ]+(\d{1,2})(?=:)|(?!\d))", raw)
    if not found:
        return parse_date(raw, zone) if raw else None
    hour = f"T{int(found[4]):02}" if found[4] else ""
    return parse_date(f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}{hour}{raw[found.end() :]}", zone)


def _addresses(
    values: Mapping[str, Any], title: str, location: Location, day: datetime | None, source: Source
) -> tuple[str, tuple[str, ...]]:
    """The post's URL and its former ones.

    What the front matter says of the address wins over a pattern that is a path. A pattern that is an absolute URL has the last
    word: a site that publishes another's files has URLs of its own, and the front matter's address becomes a former one.
    """
    site = source.url
    said = {
        "slug": scalar(values, "slug"),
        "title": title,
        "categories": "/".join(map(urlise, words(values, "categories", "category"))),
    }
    own = scalar(values, "url", "permalink", "path")
    explicit = "" if "{{" in own else below(path, site) if own and (path := expand(own, location, said, day)) else ""
    expanded = expand(source.permalink, location, said, day)
    regular = below(expanded, site) if expanded else ""
    former = [below(one_line(str(alias)), site) for alias in entries(values, "aliases", "alias", "redirect_from") if alias]
    url = regular if re.match(r"https?://", source.permalink) else explicit or regular
    if explicit and explicit != url:
        former.append(explicit)
    url = re.sub(r"/index\.html?$", "/", url)
    return url, tuple(dict.fromkeys(alias for alias in former if alias and alias != url))


def _base(url: str, location: Location) -> str:
    """Where relative links rest: a leaf bundle's files lie below its page, whether or not its URL ends in a slash."""
    return f"{url}/" if location.is_bundle and not re.search(r"/$|\.html?$", url) else ""


def _authors(values: Mapping[str, Any]) -> Iterable[Person]:
    for author in entries(values, "author", "authors", "by"):
        if isinstance(author, dict):
            if name := scalar(author, "name", "title"):
                yield Person(name, email=scalar(author, "email"), url=absolute(scalar(author, "url", "link"), ""))
        elif isinstance(author, str | int | float):
            yield from map(Person, _names(one_line(str(author)), is_listed=author not in values.values()))


def _names(text: str, *, is_listed: bool) -> list[str]:
    """One author, or several where a value that is no list holds full names alone between commas (``Ada King, Alan Turing``)."""
    names = [name.strip() for name in text.split(",")]
    several = not is_listed and all(name[:1].isupper() and " " in name for name in names)
    return names if several else [text] * bool(text)


def _image(values: Mapping[str, Any]) -> str:
    """The first image with an address on the site; ``../`` leads to a file that Astro publishes under another name."""
    for image in entries(values, *_IMAGES):
        found = scalar(image, "src", "url", "image", "path", "feature", "relative") if isinstance(image, dict) else image
        if isinstance(found, str) and re.search(r"[./]", found) and not found.startswith("../"):
            return one_line(found)
    return ""


def _without_imports(text: str) -> str:
    """MDX without the modules at its beginning (mdxjs.com/docs/what-is-mdx), which are no text."""
    return re.sub(r"\A(?:\s*(?:import|export)\b[^\n]*\n)+", "", text)


def _named(location: Location) -> str:
    name = re.sub(r"[-_\s]+", " ", location.slug).strip()
    return name[:1].upper() + name[1:]


def _decoded(body: bytes) -> str:
    encoding = "utf-16" if body.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return body.decode(encoding, "replace")
