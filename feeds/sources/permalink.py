"""Works out where a file of a static site is published: from its path, its date and the pattern of its URLs.

A shared helper of the readers; it knows the rules of Jekyll, Hugo and Zola for file names, and nothing of what stands in the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit, urlunsplit

from feeds.text import absolute

_DATED = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})(?:[-_ ]+(?=.)|$)")
_PLACEHOLDER = re.compile(r":([a-z_]+)")
_GENERATORS_OWN = ("_content", "_posts", "content")
_STYLES = {
    "date": "/:categories/:year/:month/:day/:title.html",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "none": "/:categories/:title.html",
}
"""Jekyll's built-in styles (jekyllrb.com/docs/permalinks)."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a file's path alone says.

    ``filename`` is the name without its extension (``:filename``), ``day`` the date that begins it (or begins the name of a leaf
    bundle's folder), ``slug`` what follows the date, ``folders`` the folders above without those that only the generator needs.
    """

    filename: str
    slug: str
    day: str
    folders: tuple[str, ...]
    is_bundle: bool
    is_jekyll: bool

    @classmethod
    def of(cls, path: str) -> Location:
        """Read a path relative to the source's folder, as in ``blog/2024-01-02-foo.md``."""
        file = PurePosixPath(path)
        above = [name for name in file.parts[:-1] if name not in _GENERATORS_OWN[:2]]
        if above[:1] == ["content"]:
            del above[0]
        is_bundle = file.stem.lower() == "index" and bool(above)
        name = above.pop() if is_bundle else file.stem
        dated = _DATED.match(name)
        day, rest = (dated[1], name[dated.end() :]) if dated else ("", name)
        return cls(file.stem, rest or name, day, tuple(above), is_bundle, "_posts" in file.parts)

    @property
    def path(self) -> str:
        """The path below the folder without extension; a leaf bundle's is its folder (``:path``)."""
        return "/".join((*self.folders, *self._last))

    @property
    def _last(self) -> tuple[str, ...]:
        named = f"{self.day}-{self.slug}" if self.day and self.slug != self.day else self.slug
        return () if not self.is_bundle and self.filename.lower() == "index" else (named if self.is_bundle else self.filename,)


def expand(pattern: str, location: Location, values: Mapping[str, str], day: datetime | None) -> str:
    """The path that a pattern gives; nothing where it asks for a date and there is none.

    ``values`` may hold a ``slug``, a ``title`` and ``categories``. ``:title`` is Jekyll's in ``_posts`` (the file's name) and
    Hugo's elsewhere (the title). An unknown placeholder stays as written.
    """
    slug = values.get("slug", "").strip("/") or location.slug
    known = {
        "slug": slug,
        "title": slug if location.is_jekyll else urlise(values.get("title", "")) or slug,
        "filename": location.filename,
        "path": "/".join((*location.folders, slug)) if values.get("slug") else location.path,
        "section": location.folders[0] if location.folders else "",
        "sections": "/".join(location.folders),
        "categories": values.get("categories", ""),
        "output_ext": ".html",
    }
    pattern = _STYLES.get(pattern, pattern)
    if day is None and re.search(r":(year|month|day)\b", pattern):
        return ""
    if day is not None:
        known |= {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
    filled = _PLACEHOLDER.sub(lambda found: _quoted(known[found[1]]) if found[1] in known else found[0], pattern)
    return re.sub(r"(?<!:)/{2,}", "/", filled)


def below(path: str, site: str) -> str:
    """A path as an absolute URL below the site's own (Hugo's baseURL), which it may already repeat; nothing where it is none."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", path):
        return absolute(path, site)
    parts = urlsplit(site)
    home = parts.path.rstrip("/") + "/"
    path = "/" + path.lstrip("/")
    root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    return absolute(root + (path if path.startswith(home) else home.rstrip("/") + path), site)


def urlise(title: str) -> str:
    """A title as Hugo writes it into a URL: lower case, spaces as hyphens, only letters, digits and ``._~+-`` kept."""
    kept = re.sub(r"[^\w.~+\-\s]", "", title.lower())
    return re.sub(r"[\s]+-*[\s]*", "-", kept.strip())


def _quoted(value: str) -> str:
    return quote(value, safe="/@!$&'()*+,;=~")
