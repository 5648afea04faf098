"""Decides what a document changes: from its drafts and what is stored to the posts that are new or changed.

Pure, and the heart of "refreshing twice changes nothing": the same drafts over the same stored posts give no change at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from feeds.model import Draft, Post, SetAside, Site, Source
from feeds.refreshing.identity import Assignment, assign, content_digest, mint_id
from feeds.refreshing.keys import Keys, Provenance, ledger_keys
from feeds.refreshing.merge import PAGE, merge
from feeds.text import excerpt, harmless, plain, sanitise, xml_safe

_TITLE_LIMIT = 500
_SUMMARY_LIMIT = 400
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@dataclass(frozen=True, slots=True)
class Change:
    """A post as it is to be stored now, and what it was before (None: it is new)."""

    post: Post
    before: Post | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows that an intake may ask for: ledger keys, posts and what each source said of them, reserved ids."""

    ledger: Mapping[str, str]
    posts: Callable[[Sequence[str]], Mapping[str, Post]]
    said: Callable[[Sequence[str]], Mapping[str, Mapping[str, Draft]]]
    is_taken: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Intake:
    """What one document changes: posts, what the source says of them, keys that the ledger learns, items set aside.

    ``present`` are the ids of all posts that the document has, changed or not.
    """

    changes: tuple[Change, ...]
    said: Mapping[str, Draft]
    learned: Mapping[str, str]
    set_aside: tuple[SetAside, ...]
    present: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """Who says it from where, to which publication, and whom to believe: source ids, the most trusted first.

    ``keep_ids``: a new post keeps its guid as its id, so that subscribers who move over from that feed see nothing twice.
    """

    source: Source
    site: Site
    priority: tuple[str, ...]
    keep_ids: bool = False

    @property
    def provenance(self) -> Provenance:
        """Where what the source says comes from."""
        return Provenance.of(self.source, self.site)


def wanted(drafts: Iterable[Draft], source: Source) -> list[Draft]:
    """The drafts whose path the source's ``include`` and ``exclude`` patterns let in."""
    return [draft for draft in drafts if _lets_in(source, unquote(urlsplit(draft.url).path) or "/")]


def _lets_in(source: Source, path: str) -> bool:
    included = not source.include or any(fnmatchcase(path, pattern) for pattern in source.include)
    return included and not any(fnmatchcase(path, pattern) for pattern in source.exclude)


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a document's drafts, with their keys within the whole of it, and the place of its first draft there."""

    drafts: Sequence[Draft]
    keys: Sequence[Keys]
    start: int = 0


def parts(drafts: Sequence[Draft], provenance: Provenance, *, items: int, characters: int) -> list[Part]:
    """A document in one or more parts, each of at most so many drafts and, unless it is a single one, so many characters."""
    keys, found, start, length = ledger_keys(drafts, provenance), list[Part](), 0, 0
    for n, draft in enumerate(drafts):
        length += len(draft.title) + len(draft.summary) + len(draft.content)
        if n > start and (n - start == items or length > characters):
            found.append(Part(drafts[start:n], keys[start:n], start))
            start, length = n, len(draft.title) + len(draft.summary) + len(draft.content)
    return [*found, Part(drafts[start:], keys[start:], start)]


def take_in(drafts: Sequence[Draft], rules: Rules, known: Known, *, now: datetime) -> Intake:
    """Work out what ``drafts``, all of one document, change."""
    return take_part(Part(drafts, ledger_keys(drafts, rules.provenance)), rules, known, now=now)


def take_part(
    part: Part, rules: Rules, known: Known, *, now: datetime, earlier: Collection[str] = (), elsewhere: Collection[str] = ()
) -> Intake:
    """Work out what a part of a document changes.

    ``earlier`` are the ids of the parts before, ``elsewhere`` those that the ledger ties to drafts of any part.
    """
    authority, name, provenance = urlsplit(rules.site.home).netloc, rules.source.id, rules.provenance
    inside = provenance.host if provenance.is_inside else ""
    own_guids = {draft.guid for draft, keys in zip(part.drafts, part.keys, strict=True) if keys.strong[0].startswith("guid:")}

    def mint(draft: Draft, taken: Callable[[str], bool]) -> str:
        if rules.keep_ids and draft.guid in own_guids and _ABSOLUTE.match(draft.guid) and not taken(draft.guid):
            return draft.guid
        return mint_id(draft, authority=authority, first_seen=now, is_taken=taken, inside=inside)

    nameless = [draft for draft in part.drafts if not _is_readable(draft)]
    readable = [(draft, keys) for draft, keys in zip(part.drafts, part.keys, strict=True) if _is_readable(draft)]
    drafts, names = [draft for draft, _ in readable], [keys for _, keys in readable]
    assignments, repeats = assign(
        drafts, provenance, known.ledger, mint, known.is_taken, names=names, earlier=earlier, elsewhere=elsewhere
    )
    born = _first_dates(assignments, part, now)
    ids = [assignment.id for assignment in assignments if not assignment.minted]
    before, said = known.posts(ids), known.said(ids)
    news = [a for a in assignments if said.get(a.id, {}).get(name) != a.draft]
    changes = [
        _change(a.id, {**said.get(a.id, {}), name: a.draft}, before.get(a.id), rules, now=now, born=born.get(a.id, now))
        for a in news
    ]
    return Intake(
        changes=tuple(change for change in changes if change is not None),
        said={assignment.id: assignment.draft for assignment in news},
        learned={key: assignment.id for assignment in assignments for key in assignment.learned},
        set_aside=(
            *(SetAside(d.guid or d.url or "?", d.title, "repeats another item of the document") for d in repeats),
            *(SetAside(d.published_raw or "?", "", "has no guid, link, title or text") for d in nameless),
        ),
        present=frozenset(assignment.id for assignment in assignments),
    )


def read_page(post: Post, said: Mapping[str, Draft], page: Draft, rules: Rules, *, now: datetime) -> Post:
    """A post with what its own page adds to what the sources said; what it added when it was read before counts no more.

    Learning more about a post is no edit of it: the first reading leaves ``updated`` where it is, unless only the page knows when
    the post was published.
    """
    draft = merge(_trusted({**said, PAGE: page}, rules.priority))
    richer = _compose(post.id, draft, post, rules.site, now)
    undated = not any(d.published_raw for d in said.values()) and page.published is not None and page.published <= post.first_seen
    published = page.published if undated and page.published else post.published
    updated = post.updated if post.enriched else max(post.updated, published) if not undated else published
    richer = replace(richer, published=published, updated=richer.updated if post.enriched else updated, enriched=True)
    return replace(richer, published_raw=page.published_raw[:200] if undated else post.published_raw)


def _is_readable(draft: Draft) -> bool:
    """Whether there is anything to name a post by or to read in it."""
    return bool(draft.guid or draft.url or draft.title or draft.summary or draft.content)


def _first_dates(assignments: Sequence[Assignment], part: Part, now: datetime) -> dict[str, datetime]:
    """When new posts without a date count as published: when they were first seen, a second apart to keep the document's order.

    The place within the document counts, so that it makes no difference in how many goes the document was taken in.
    """
    place = {id(draft): part.start + n for n, draft in enumerate(part.drafts)}
    undated = (a for a in assignments if a.minted and not a.draft.published)
    return {a.id: now - timedelta(seconds=place[id(a.draft)]) for a in undated}


def _change(
    entry_id: str, said: Mapping[str, Draft], before: Post | None, rules: Rules, *, born: datetime, now: datetime
) -> Change | None:
    draft = merge(_trusted(said, rules.priority))
    if before is None and draft.published is None:
        draft = replace(draft, published=born)
    post = replace(_compose(entry_id, draft, before, rules.site, now), source=before.source if before else rules.source.id)
    return None if post == before else Change(post, before)


def _trusted(said: Mapping[str, Draft], priority: Sequence[str]) -> list[Draft]:
    """What was said, in the order of the configuration; sources that left it after those, the page last."""
    order = {name: n for n, name in enumerate(priority)}
    names = sorted(said, key=lambda name: (name == PAGE, order.get(name, len(order)), name))
    return [said[name] for name in names]


def _compose(entry_id: str, draft: Draft, before: Post | None, site: Site, now: datetime) -> Post:
    """The post that a draft makes, given what it was before: ``published`` is fixed, ``updated`` moves with the digest.

    A date in the future is not fixed before it has come: nobody saw the post yet, and the source may have mistyped the year.
    """
    url = draft.url or site.home
    base = draft.base or url
    content = sanitise(draft.content, base)
    summary = sanitise(draft.summary, base)
    text, language = plain(summary or content), draft.language or site.language
    title = excerpt(harmless(draft.title), _TITLE_LIMIT) or excerpt(harmless(text), 80, language=language) or url
    dated = before if before and (before.published <= now or not draft.published) else None
    published = dated.published if dated else draft.published or now
    post = Post(
        id=entry_id,
        source=before.source if before else "",
        url=url,
        title=title,
        summary=summary or _paragraph(excerpt(text, _SUMMARY_LIMIT, language=language) or title),
        content=content,
        authors=draft.authors,
        tags=draft.tags,
        published=published,
        updated=dated.updated if dated else _first_updated(draft, published, now),
        first_seen=before.first_seen if before else now,
        published_raw=dated.published_raw if dated else xml_safe(draft.published_raw)[:200],
        language=draft.language,
        image=draft.image,
        enclosures=draft.enclosures,
        digest="",
        enriched=before.enriched if before else False,
    )
    post = replace(post, digest=content_digest(post))
    if before and before.digest != post.digest:
        edited = draft.updated if draft.updated and before.updated < draft.updated <= now else max(now, published)
        post = replace(post, updated=edited)
    return post


def _first_updated(draft: Draft, published: datetime, now: datetime) -> datetime:
    return draft.updated if draft.updated and published <= draft.updated <= now else published


def _paragraph(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<p>{escaped}</p>" if text else ""
