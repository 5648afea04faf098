"""Says what names a draft: canonical URLs, and the ledger's keys that tie it to a post. Pure.

Strong keys name a draft by themselves; weak ones only where several facts agree and nothing else of the document claims the post.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from feeds.model import Draft, Site, Source

_TRACKING = re.compile(r"(?i)utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|yclid|_hs(enc|mi)|ref_src|wt_mc|pk_\w+|mtm_\w+")
_INDEX = re.compile(r"(?i)/(index|default)\.(html?|php|aspx?)$")
_ORDINARY = 500
_PORTS = {"http": 80, "https": 443}
_LOCAL = re.compile(r"(localhost|\d+(\.\d+){3})(:\d+)?|[0-9a-f]*:[0-9a-f.]*:[0-9a-f:.]*")
_WORLDWIDE = re.compile(r"(?i)(tag|urn:uuid):.")


def canonical_url(url: str) -> str:
    """The form under which two addresses of one post are equal.

    Scheme, ``www.``, default port, trailing slash, ``index.html``, tracking parameters, an empty query and the case of the
    host make no difference; the order of parameters and the fragment do (change logs have a post per fragment).
    """
    return _remembered(url) if len(url) <= _ORDINARY else _canonical(url)


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    port = f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else ""
    path = quote(unquote(_INDEX.sub("/", parts.path)), safe="/:@!$&'()*+,;=~").rstrip("/")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(k)])
    fragment = "" if _TRACKING.match(parts.fragment) else parts.fragment
    return f"{host}{port}{path}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


_remembered = lru_cache(maxsize=1 << 16)(_canonical)  # a refresh asks for the same ones many times


def canonical_host(url: str) -> str:
    """The host of a URL, with its port where that is not the usual one, as ``canonical_url`` begins with it."""
    return re.split(r"[/?#]", canonical_url(url), maxsplit=1)[0]


def url_key(url: str) -> str:
    """The ledger's key of an address."""
    return _bounded(f"url:{canonical_url(url)}")


def post_key(name: str) -> str:
    """What is equal for two names of one post as a person writes them: addresses by ``url_key``, ids as they are."""
    if not name.lower().startswith(("http://", "https://")):
        return name
    try:
        return url_key(name)
    except ValueError:  # no address after all
        return name


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where drafts come from: the source's id, the ``host`` at which it is asked, and the host that is the blog's ``home``."""

    source: str
    host: str = ""
    home: str = ""

    @classmethod
    def of(cls, source: Source, site: Site) -> Provenance:
        """The provenance of what a source says in a publication."""
        return cls(source.id, canonical_host(source.url), canonical_host(site.home))

    @property
    def is_inside(self) -> bool:
        """Whether the source is asked at an address that is local by its own words, and the blog lives at one that is not."""
        return _LOCAL.fullmatch(self.host) is not None and _LOCAL.fullmatch(self.home) is None


@dataclass(frozen=True, slots=True)
class Keys:
    """What names a draft. ``strong`` keys name it by themselves, strongest first: guid, URL, former URLs.

    ``weak`` keys are made of several facts, and ``sought`` are those of other drafts that would be the same post; they tie a draft
    only to a post that is otherwise missing from the document.
    """

    strong: tuple[str, ...]
    weak: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()

    @property
    def learned(self) -> tuple[str, ...]:
        """What the ledger remembers of the draft."""
        return (*self.strong, *self.weak)

    @property
    def all(self) -> tuple[str, ...]:
        """What the ledger is asked."""
        return tuple(dict.fromkeys((*self.strong, *self.weak, *self.sought)))


def ledger_keys(drafts: Sequence[Draft], provenance: Provenance) -> list[Keys]:
    """Per draft of one document the keys that name it.

    A guid or URL that several drafts share names none of them; drafts that share all they have fall back to the two together with
    the title, or the text where there is none.
    """
    document = _Document(
        provenance,
        guids=Counter(draft.guid for draft in drafts),
        urls=Counter(canonical_url(draft.url) for draft in drafts if draft.url),
        aliases=Counter(alias for draft in drafts for alias in {canonical_url(alias) for alias in draft.aliases}),
        titles=Counter(_title_key(draft, provenance.source) for draft in drafts),
        places=Counter(_place(draft) for draft in drafts),
    )
    return [document.keys(draft) for draft in drafts]


@dataclass(frozen=True, slots=True)
class _Document:
    """How many drafts of a document share each of the things that may name them."""

    provenance: Provenance
    guids: Counter[str]
    urls: Counter[str]
    aliases: Counter[str]
    titles: Counter[str]
    places: Counter[str]

    def keys(self, draft: Draft) -> Keys:
        strong = tuple(dict.fromkeys(self._strong(draft))) or (self._item(draft),)
        title = _title_key(draft, self.provenance.source)
        named = (title,) if title and self.titles[title] == 1 else ()
        learned, sought = self._placed(draft)
        return Keys(strong, (*named, *learned), (*named, *sought))

    def _strong(self, draft: Draft) -> list[str]:
        found = []
        is_own = bool(draft.guid) and self.guids[draft.guid] == 1
        if is_own:
            found.append(_bounded(f"guid:{self.provenance.source}:{draft.guid}"))
        if is_own and _WORLDWIDE.match(draft.guid):
            found.append(_bounded(f"id:{draft.guid}"))
        if draft.url and self.urls[canonical_url(draft.url)] == 1:
            found.append(url_key(draft.url))
        former = [alias for alias in draft.aliases if self.aliases[canonical_url(alias)] == 1]
        return found + [url_key(alias) for alias in former if canonical_url(alias) not in self.urls]

    def _item(self, draft: Draft) -> str:
        url = canonical_url(draft.url) if draft.url else ""
        text = draft.title or draft.summary or draft.content
        return "item:" + _hash(self.provenance.source, draft.guid, url, text, _day(draft))

    def _placed(self, draft: Draft) -> tuple[list[str], list[str]]:
        """The keys of a draft's path, title and day to learn and to look for: one post at the blog's home and at another host.

        One of the two must be at home, or said at home; the other may be at the host of its source, unless home is local itself:
        ports of one machine are different blogs. Days may be one apart, for a date without a time knows no zone; a date that one
        of the two lacks is not compared.
        """
        place, side = _place(draft), self._side(draft)
        if not place or not side or self.places[place] > 1:
            return [], []
        moment = draft.published
        days = [_day(draft), "any"] if moment else [""]
        near = [f"{_shifted(moment.date(), n)}" for n in (0, -1, 1)] + [""] if moment else ["any", ""]
        sides = ("home", "away") if side == "home" else ("home",)
        return [_place_key(side, place, day) for day in days], [_place_key(s, place, day) for s in sides for day in near]

    def _side(self, draft: Draft) -> str:
        host, provenance = canonical_host(draft.url), self.provenance
        if provenance.home and provenance.home in (host, provenance.host):
            return "home"
        return "away" if host and host == provenance.host and not _LOCAL.fullmatch(provenance.home) else ""


def _place(draft: Draft) -> str:
    """A draft's path, whatever its case, and its title, whatever its signs; nothing for a front page."""
    if not draft.url or not draft.title:
        return ""
    path = canonical_url(draft.url).removeprefix(canonical_host(draft.url)).casefold()
    title = re.sub(r"\W+", " ", draft.title.casefold()).strip() or draft.title.casefold()
    return _hash(path, title) if path else ""


def _place_key(side: str, place: str, day: str) -> str:
    return f"place:{side}:" + _hash(place, day)


def _title_key(draft: Draft, source: str) -> str:
    if not draft.title or not draft.published:
        return ""
    return "title:" + _hash(source, draft.title.casefold(), _day(draft))


def _day(draft: Draft) -> str:
    return draft.published.date().isoformat() if draft.published else ""


def _shifted(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return day


def _bounded(key: str) -> str:
    return key if len(key) <= 500 else f"{key[:5]}sha256:{_hash(key)}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
