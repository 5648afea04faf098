"""Decides what a document changes: from its drafts and what is stored to the posts that are new or changed.

Pure, and the heart of "refreshing twice changes nothing": the same drafts over the same stored posts give no change at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import count
from urllib.parse import unquote, urlsplit

from feeds.identity import Assignment, assign, content_digest, mint_id
from feeds.model import Draft, Post, SetAside, Site, Source
from feeds.text import excerpt, plain, sanitise, xml_safe

_TITLE_LIMIT = 500
_SUMMARY_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Change:
    """A post as it is to be stored now, and what it was before (None: it is new)."""

    post: Post
    before: Post | None


@dataclass(frozen=True, slots=True)
class Intake:
    """What one document changes: posts, keys that the ledger learns (key -> id), items set aside."""

    changes: tuple[Change, ...]
    learned: Mapping[str, str]
    set_aside: tuple[SetAside, ...]


def wanted(drafts: Iterable[Draft], source: Source) -> list[Draft]:
    """The drafts whose path the source's ``include`` and ``exclude`` patterns let in."""
    return [draft for draft in drafts if _lets_in(source, unquote(urlsplit(draft.url).path) or "/")]


def _lets_in(source: Source, path: str) -> bool:
    included = not source.include or any(fnmatchcase(path, pattern) for pattern in source.include)
    return included and not any(fnmatchcase(path, pattern) for pattern in source.exclude)


def take_in(
    drafts: Sequence[Draft],
    *,
    source: Source,
    site: Site,
    now: datetime,
    ledger: Mapping[str, str],
    stored: Callable[[Sequence[str]], Mapping[str, Post]],
    is_taken: Callable[[str], bool],
) -> Intake:
    """Work out what ``drafts`` change. ``stored`` looks posts up by id, ``is_taken`` tells reserved ids."""
    authority = urlsplit(site.home).netloc

    def mint(draft: Draft, taken: Callable[[str], bool]) -> str:
        return mint_id(draft, authority=authority, first_seen=now, is_taken=taken)

    assignments, repeats = assign(drafts, source.id, ledger, mint, is_taken)
    dated = _with_dates(assignments, now)
    before = stored([assignment.id for assignment in assignments if not assignment.minted])
    changes = [_change(assignment, before.get(assignment.id), source, site, now) for assignment in dated]
    return Intake(
        changes=tuple(change for change in changes if change is not None),
        learned={key: assignment.id for assignment in assignments for key in assignment.learned},
        set_aside=tuple(SetAside(d.guid or d.url or "?", d.title, "repeats another item of the document") for d in repeats),
    )


def _with_dates(assignments: Sequence[Assignment], now: datetime) -> list[Assignment]:
    """Give new drafts without a date the time they were first seen, a second apart, so that they keep the document's order."""
    seconds = count()
    return [
        replace(a, draft=replace(a.draft, published=now - timedelta(seconds=next(seconds))))
        if a.minted and not a.draft.published
        else a
        for a in assignments
    ]


def _change(assignment: Assignment, before: Post | None, source: Source, site: Site, now: datetime) -> Change | None:
    if before is not None and before.source != source.id:
        return None  # the source that brought a post first speaks for it
    post = _compose(assignment, before, source, site, now)
    return None if post == before else Change(post, before)


def _compose(assignment: Assignment, before: Post | None, source: Source, site: Site, now: datetime) -> Post:
    """The post that a draft makes, given what it was before: ``published`` is fixed, ``updated`` moves with the digest."""
    draft = assignment.draft
    url = draft.url or site.home
    base = draft.base or url
    content = sanitise(draft.content, base)
    summary = sanitise(draft.summary, base)
    text = plain(summary or content)
    published = before.published if before else draft.published or now
    kept = before if before and before.enriched else None  # what the page said stays until the page is read again
    title = excerpt(draft.title, _TITLE_LIMIT) or excerpt(text, 80) or url
    post = Post(
        id=assignment.id,
        source=source.id,
        url=url,
        title=title,
        summary=summary or _paragraph(excerpt(text, _SUMMARY_LIMIT) or title),
        content=content,
        authors=draft.authors or (kept.authors if kept else ()),
        tags=tuple(dict.fromkeys((*draft.tags, *(kept.tags if kept else ())))),
        published=published,
        updated=before.updated if before else _first_updated(draft, published, now),
        first_seen=before.first_seen if before else now,
        published_raw=before.published_raw if before else xml_safe(draft.published_raw)[:200],
        language=draft.language or (kept.language if kept else ""),
        image=draft.image or (kept.image if kept else ""),
        enclosures=draft.enclosures,
        digest="",
    )
    post = replace(post, digest=content_digest(post), enriched=before.enriched if before else False)
    if before and before.digest != post.digest:
        edited = draft.updated if draft.updated and before.updated < draft.updated <= now else max(now, published)
        post = replace(post, updated=edited)
    return post


def enrich(post: Post, page: Draft) -> Post:
    """A post with what its own page adds: all tags, and author, language, image and date where the source gave none.

    Learning more about a post is no edit of it: ``updated`` stays, unless the date of publication was unknown until now.
    """
    undated = not post.published_raw and page.published is not None and page.published <= post.first_seen
    published = page.published if undated and page.published else post.published
    richer = replace(
        post,
        authors=post.authors or page.authors,
        tags=tuple(dict.fromkeys((*post.tags, *page.tags))),
        language=post.language or page.language,
        image=post.image or page.image,
        published=published,
        updated=published if undated else post.updated,
        published_raw=page.published_raw if undated else post.published_raw,
        enriched=True,
    )
    return replace(richer, digest=content_digest(richer))


def _first_updated(draft: Draft, published: datetime, now: datetime) -> datetime:
    return draft.updated if draft.updated and published <= draft.updated <= now else published


def _paragraph(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<p>{escaped}</p>" if text else ""
