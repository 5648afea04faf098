"""Says which post a draft is: canonical URLs, the keys that tie a draft to a post, the permanent entry id, the content digest.

Pure: it is told what the ledger knows and returns what to add. It never mints an id for something that the ledger ties.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from feeds.model import Draft, Post

_TRACKING = re.compile(r"(?i)utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|yclid|_hs(enc|mi)|ref_src|wt_mc|pk_\w+|mtm_\w+")
_INDEX = re.compile(r"(?i)/(index|default)\.(html?|php|aspx?)$")
_PORTS = {"http": 80, "https": 443}


def canonical_url(url: str) -> str:
    """The form under which two addresses of one post are equal.

    Scheme, ``www.``, default port, trailing slash, ``index.html``, tracking parameters, an empty query and the case of the
    host make no difference; the order of parameters and the fragment do (change logs have a post per fragment).
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    port = f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else ""
    path = quote(unquote(_INDEX.sub("/", parts.path)), safe="/:@!$&'()*+,;=~").rstrip("/")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(k)])
    fragment = "" if _TRACKING.match(parts.fragment) else parts.fragment
    return f"{host}{port}{path}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


@dataclass(frozen=True, slots=True)
class Keys:
    """What names a draft. ``strong`` keys name it by themselves, strongest first: guid within the source, URL, former URLs.

    ``weak`` names it by title and day, which only ties it to a post that is otherwise missing from the document.
    """

    strong: tuple[str, ...]
    weak: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every key that the ledger may know or learn."""
        return (*self.strong, self.weak) if self.weak else self.strong


def ledger_keys(drafts: Sequence[Draft], source: str) -> list[Keys]:
    """Per draft the keys that name it.

    A guid or URL that several drafts of one document share names none of them; drafts that share all they have fall back to
    the two together with the title, or the text where there is none.
    """
    guids = Counter(draft.guid for draft in drafts)
    urls = Counter(canonical_url(draft.url) for draft in drafts if draft.url)
    titles = Counter(_title_key(draft, source) for draft in drafts)
    return [_keys(draft, source, guids=guids, urls=urls, titles=titles) for draft in drafts]


def url_key(url: str) -> str:
    """The ledger's key of an address."""
    return _bounded(f"url:{canonical_url(url)}")


def _keys(draft: Draft, source: str, *, guids: Counter[str], urls: Counter[str], titles: Counter[str]) -> Keys:
    url = canonical_url(draft.url) if draft.url else ""
    keys = []
    if draft.guid and guids[draft.guid] == 1:
        keys.append(_bounded(f"guid:{source}:{draft.guid}"))
    if url and urls[url] == 1:
        keys.append(url_key(draft.url))
    keys += [url_key(alias) for alias in draft.aliases if canonical_url(alias) not in urls]
    if not keys:
        day = draft.published.date().isoformat() if draft.published else ""
        keys.append("item:" + _hash(source, draft.guid, url, draft.title or draft.summary or draft.content, day))
    weak = _title_key(draft, source)
    return Keys(tuple(dict.fromkeys(keys)), weak if titles[weak] == 1 else "")


def _title_key(draft: Draft, source: str) -> str:
    if not draft.title or not draft.published:
        return ""
    return "title:" + _hash(source, draft.title.casefold(), draft.published.date().isoformat())


def _bounded(key: str) -> str:
    return key if len(key) <= 500 else f"{key[:5]}sha256:{_hash(key)}"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A draft, the post it is, whether that id is new, and the keys that the ledger must learn."""

    draft: Draft
    id: str
    minted: bool
    learned: tuple[str, ...]


def assign(
    drafts: Sequence[Draft],
    source: str,
    ledger: Mapping[str, str],
    mint: Callable[[Draft, Callable[[str], bool]], str],
    is_taken: Callable[[str], bool],
) -> tuple[list[Assignment], list[Draft]]:
    """Tie each draft to its post by the ledger, or mint an id; drafts that turn out to be one post are returned as repeats.

    ``ledger`` maps keys to ids (at least all keys of these drafts that it knows). ``mint`` is given a predicate that says
    whether an id is reserved. Title and day tie a draft only to a post that no other draft of the document is.
    """
    named = list(zip(drafts, ledger_keys(drafts, source), strict=True))
    tied = [next((ledger[key] for key in keys.strong if key in ledger), "") for _, keys in named]
    present = set(tied)
    for n, (_, keys) in enumerate(named):
        candidate = ledger.get(keys.weak, "")
        if not tied[n] and candidate and candidate not in present:
            tied[n] = candidate
            present.add(candidate)
    known, given = dict(ledger), set[str]()
    assignments, repeats = [], []
    for (draft, keys), found in zip(named, tied, strict=True):
        owner = found or next((known[key] for key in keys.strong if key in known), "")
        if owner in given:
            repeats.append(draft)
            continue
        entry_id = owner or mint(draft, lambda candidate: candidate in given or is_taken(candidate))
        learned = tuple(key for key in keys.all if key not in known)
        known.update((key, entry_id) for key in learned)
        given.add(entry_id)
        assignments.append(Assignment(draft, entry_id, not owner, learned))
    return assignments, repeats


def mint_id(draft: Draft, *, authority: str, first_seen: datetime, is_taken: Callable[[str], bool]) -> str:
    """A tag URI (RFC 4151) for a post never seen before: the publication's domain, the day, the path of its first URL."""
    name = _path_name(draft.url, authority) or _hash(draft.guid, draft.title)[:16]
    if len(name) > 120:
        name = _hash(name)[:32]
    candidate = tag_uri(authority, first_seen.date(), name)
    counter = 2
    while is_taken(candidate):
        candidate = tag_uri(authority, first_seen.date(), f"{name}:{counter}")
        counter += 1
    return candidate


def tag_uri(authority: str, day: date, specific: str) -> str:
    """A tag URI (RFC 4151 §2.1); ``authority`` may be a host with a port, of which the name is kept."""
    host = urlsplit(f"//{authority}").hostname or authority
    return f"tag:{host.removeprefix('www.').replace(':', '-')},{day.isoformat()}:{specific}"


def _path_name(url: str, authority: str) -> str:
    if not url:
        return ""
    canonical = canonical_url(url)
    home = canonical_url(f"http://{authority}/")
    name = canonical.removeprefix(home + "/") if canonical.startswith(home + "/") else canonical
    return re.sub(r"[^A-Za-z0-9\-._~/:@!$&'()*+,;=%]", "-", name)


def content_digest(post: Post) -> str:
    """What a reader sees of a post, as one value: it moves exactly when an edit is worth an ``updated``."""
    authors = [[person.name, person.email, person.url] for person in post.authors]
    files = [[enclosure.url, enclosure.media_type, enclosure.length] for enclosure in post.enclosures]
    seen = [post.title, post.summary, post.content, authors, files, post.image, post.language]
    return _hash(json.dumps(seen, ensure_ascii=True))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
