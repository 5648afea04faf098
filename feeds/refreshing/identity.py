"""Says which post a draft is: by the ledger's keys, or by a new permanent entry id; and the content digest.

Pure: it is told what the ledger knows and returns what to add. It never mints an id for something that the ledger ties.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlsplit

from feeds.model import Draft, Post
from feeds.refreshing.keys import Keys, Provenance, canonical_host, canonical_url, ledger_keys


@dataclass(frozen=True, slots=True)
class Assignment:
    """A draft, the post it is, whether that id is new, and the keys that the ledger must learn."""

    draft: Draft
    id: str
    minted: bool
    learned: tuple[str, ...]


def assign(
    drafts: Sequence[Draft],
    provenance: Provenance,
    ledger: Mapping[str, str],
    mint: Callable[[Draft, Callable[[str], bool]], str],
    is_taken: Callable[[str], bool],
    *,
    names: Sequence[Keys] | None = None,
    earlier: Collection[str] = (),
    elsewhere: Collection[str] = (),
) -> tuple[list[Assignment], list[Draft]]:
    """Tie each draft to its post by the ledger, or mint an id; drafts that turn out to be one post are returned as repeats.

    ``ledger`` maps keys to ids (at least all keys of these drafts that it knows). ``mint`` is given a predicate that says
    whether an id is reserved. Weak keys tie a draft only to a post that no other draft of the document is.
    Where the drafts are but a part of a document, ``names`` are their keys within the whole of it, ``earlier`` the ids of the parts
    before, ``elsewhere`` the ids that strong keys tie to drafts of any part.
    """
    named = list(zip(drafts, ledger_keys(drafts, provenance) if names is None else names, strict=True))
    tied = [next((ledger[key] for key in keys.strong if key in ledger), "") for _, keys in named]
    present = {*tied, *earlier, *elsewhere}
    for n, (_, keys) in enumerate(named):
        candidate = next((ledger[key] for key in keys.sought if key in ledger), "")
        if not tied[n] and candidate and candidate not in present:
            tied[n] = candidate
            present.add(candidate)
    known, given = dict(ledger), set(earlier)
    assignments, repeats = [], []
    for (draft, keys), found in zip(named, tied, strict=True):
        owner = found or next((known[key] for key in keys.strong if key in known), "")
        if owner in given:
            repeats.append(draft)
            continue
        entry_id = owner or mint(draft, lambda candidate: candidate in given or is_taken(candidate))
        learned = tuple(key for key in keys.learned if key not in known)
        known.update((key, entry_id) for key in learned)
        given.add(entry_id)
        assignments.append(Assignment(draft, entry_id, not owner, learned))
    return assignments, repeats


def mint_id(draft: Draft, *, authority: str, first_seen: datetime, is_taken: Callable[[str], bool], inside: str = "") -> str:
    """A tag URI (RFC 4151) for a post never seen before: the publication's domain, the day, the path of its first URL.

    ``inside`` is a host at which the blog is read from within; it is not named either.
    """
    name = _path_name(draft.url, (canonical_host(f"http://{authority}/"), inside)) or _hash(draft.guid, draft.title)[:16]
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


def _path_name(url: str, unnamed: Sequence[str]) -> str:
    if not url:
        return ""
    name = canonical_url(url)
    host = canonical_host(url)
    if host in unnamed and name.startswith(f"{host}/"):
        name = name.removeprefix(f"{host}/")
    return re.sub(r"[^A-Za-z0-9\-._~/:@!$&'()*+,;=%]", "-", name)


def content_digest(post: Post) -> str:
    """What a reader sees of a post, as one value: it moves exactly when an edit is worth an ``updated``."""
    authors = [[person.name, person.email, person.url] for person in post.authors]
    files = [[enclosure.url, enclosure.media_type, enclosure.length] for enclosure in post.enclosures]
    seen = [post.title, post.summary, post.content, authors, files, post.image, post.language]
    return _hash(json.dumps(seen, ensure_ascii=True))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
