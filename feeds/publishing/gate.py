"""What a build must satisfy before its bytes replace those in service. Pure: it is given the bytes and what went into them.

How a document is read back is in ``readback``; here is what must be true of it, of its posts, and of the change that it makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from feeds.errors import GateError
from feeds.model import Feed, Post
from feeds.publishing.readback import Entry, read_back
from feeds.refreshing.keys import canonical_url

_CLOCK_SKEW = timedelta(minutes=5)
_FEW = 3
"""So few entries may always go or come at once; a share of less than that says nothing."""


@dataclass(frozen=True, slots=True)
class Served:
    """An entry of the subscription document in service: its id and URL, and whether it is withdrawn or archived now."""

    id: str
    url: str
    accounted: bool


def check_posts(path: str, posts: Sequence[Post], *, now: datetime, unminted: Collection[str] = ()) -> None:
    """Refuse posts that no feed may carry, such as ``unminted`` ids that the ledger does not know. Raises GateError naming them."""
    repeated = [entry_id for entry_id, count in Counter(post.id for post in posts).items() if count > 1]
    _refuse_if(path, "unique-ids", "two entries have one id", repeated)
    _refuse_if(path, "ledger", "has an id that was never minted", [p.id for p in posts if p.id in unminted])
    naive = [p.id for p in posts if p.published.tzinfo is None or p.updated.tzinfo is None]
    _refuse_if(path, "aware-dates", "has a date without a zone", naive)
    ahead = now + _CLOCK_SKEW
    _refuse_if(path, "future", "is dated in the future", [p.id for p in posts if p.published > ahead or p.updated > ahead])
    _refuse_if(path, "absolute-urls", "has no absolute URL", [p.id for p in posts if not _is_absolute(p.url)])


def check_build(path: str, suffix: str, feed: Feed, body: bytes) -> None:
    """Read a build back and compare it with what went in: well-formed, the same entries, links and dates in the same order.

    Raises GateError.
    """
    try:
        entries = read_back(suffix, body)
    except ValueError as error:
        raise GateError(path, "well-formed", str(error)) from None
    written, wanted = [entry.id for entry in entries], [post.id for post in feed.posts]
    if written != wanted:
        detail = f"{len(wanted)} posts went in and {len(written)} entries came out, or in another order"
        raise GateError(path, "entries", detail, entries=tuple(set(wanted) ^ set(written)))
    pairs = list(zip(entries, feed.posts, strict=True))
    _refuse_if(path, "absolute-urls", "has another link than its post", [p.id for e, p in pairs if e.link != p.url])
    relative = [entry.id for entry in entries if not all(map(_is_absolute, entry.files))]
    _refuse_if(path, "absolute-urls", "has a file without absolute URL", relative)
    _refuse_if(path, "dates", "has another date than its post", [p.id for e, p in pairs if not _has_dates(e, p)])
    _check_order(path, feed.posts)


def check_change(path: str, before: Sequence[Served], posts: Sequence[Post]) -> None:
    """Refuse a change that looks like an accident upstream: most entries gone without proof, or old posts under new ids.

    Only for a configuration that did not change, which would account for both. Raises GateError.
    """
    present = {post.id for post in posts}
    lost = [entry.id for entry in before if entry.id not in present and not entry.accounted]
    if len(lost) > _FEW and 2 * len(lost) > len(before):
        _refuse_if(path, "collapse", f"{len(lost)} of {len(before)} entries would vanish, none of them withdrawn", lost)
    urls = {canonical_url(entry.url): entry.id for entry in before}
    renamed = [post.id for post in posts if urls.get(canonical_url(post.url), post.id) != post.id]
    if len(renamed) > _FEW and 2 * len(renamed) > len(posts):
        _refuse_if(path, "churn", f"{len(renamed)} of {len(posts)} entries would be known posts under new ids", renamed)


def _check_order(path: str, posts: Sequence[Post]) -> None:
    """Newest first, as readers that take only the first few expect."""
    late = [after.id for before, after in pairwise(posts) if after.published > before.published]
    _refuse_if(path, "order", "is newer than the entry before it", late)


def _has_dates(entry: Entry, post: Post) -> bool:
    """Whether the dates that were written, where the format has them, are those of the post, to the second."""
    return _is_same(entry.published, post.published) and _is_same(entry.updated, post.updated)


def _is_same(written: datetime | None, moment: datetime) -> bool:
    return written is None or written.replace(microsecond=0) == moment.replace(microsecond=0)


def _is_absolute(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _refuse_if(path: str, rule: str, detail: str, entries: Sequence[str]) -> None:
    if entries:
        raise GateError(path, rule, f"{detail}: {', '.join(entries[:5])}", entries=tuple(entries))
