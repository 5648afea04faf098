"""Makes what was read of posts harmless, where that may still be ended: HTML is sanitised here before anybody else parses it.

Untrusted HTML can be written so that any parser takes minutes over it. What comes out is well-formed and no deeper than a browser
shows, so that whoever parses it again is done at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from feeds.errors import ParseError
from feeds.model import Draft, Parsed, SetAside
from feeds.sources.bounds import MAX_POST_DEPTH, fault_of
from feeds.text import sanitise


def clean(parsed: Parsed, url: str) -> Parsed:
    """A document's drafts with harmless HTML; those whose HTML is beyond bounds are set aside. ``url`` is the document's."""
    drafts, set_aside = [], []
    for draft in parsed.drafts:
        try:
            drafts.append(clean_draft(draft, url))
        except ParseError as error:
            set_aside.append(SetAside(draft.guid or draft.url or "?", draft.title[:500], f"its text {error.detail}"))
    return replace(parsed, drafts=tuple(drafts), set_aside=(*parsed.set_aside, *set_aside))


def clean_draft(draft: Draft, url: str) -> Draft:
    """A draft with harmless HTML. Raises ParseError where its HTML is beyond bounds."""
    _refuse((draft.content, draft.summary), url)
    base = draft.base or draft.url or url
    cleaned = replace(draft, content=sanitise(draft.content, base), summary=sanitise(draft.summary, base))
    _refuse((cleaned.content, cleaned.summary), url)
    return cleaned


def _refuse(texts: Iterable[str], url: str) -> None:
    for text in texts:
        if fault := fault_of(text.encode("utf-8", "replace"), max_depth=MAX_POST_DEPTH):
            raise ParseError(url, fault)
