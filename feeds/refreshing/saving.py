"""Saves what a document changes a bounded part at a time, so that no other writer waits for long.

Killed between two parts and run again it comes to the same: a part that was saved changes nothing a second time, and what is said
of the document as a whole is saved with its last part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from feeds.model import Draft, SetAside
from feeds.refreshing import intake
from feeds.store import Store, Transaction

_ITEMS = 200
_CHARACTERS = 1024 * 1024
_BREATH = 0.11
"""Seconds between two parts, in which a writer that waits gets its turn: SQLite's look again every 100 ms at the latest."""

Save = Callable[[Transaction, Sequence[intake.Change]], None]
"""Stores the posts that are new or changed, in their topics."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a document has changed so far: posts that are new or changed; the ids of all that it has, and what was set aside."""

    new: int = 0
    changed: int = 0
    present: frozenset[str] = frozenset()
    set_aside: tuple[SetAside, ...] = ()


def take(
    store: Store,
    drafts: Sequence[Draft],
    rules: intake.Rules,
    *,
    save: Save,
    now: datetime,
    finish: Callable[[Transaction, Taken], None],
) -> Taken:
    """Take in the drafts of a document: ``save`` stores what changes, ``finish`` is called in the last transaction."""
    parts = intake.parts(drafts, rules.provenance, items=_ITEMS, characters=_CHARACTERS)
    elsewhere = _tied(store, parts) if len(parts) > 1 else frozenset()
    taken = Taken()
    for n, part in enumerate(parts, start=1):
        with store.writing() as transaction:
            known = _known(transaction, part)
            got = intake.take_part(part, rules, known, now=now, earlier=taken.present, elsewhere=elsewhere)
            _save_part(transaction, got, rules.source.id, save, now)
            taken = _joined(taken, got)
            if n == len(parts):
                finish(transaction, taken)
        if n < len(parts):
            time.sleep(_BREATH)
    return taken


def _tied(store: Store, parts: Sequence[intake.Part]) -> frozenset[str]:
    """The ids that the ledger ties to drafts of a document."""
    return frozenset(store.identify([key for part in parts for keys in part.keys for key in keys.strong]).values())


def _known(transaction: Transaction, part: intake.Part) -> intake.Known:
    ledger = transaction.ledger([key for keys in part.keys for key in keys.all])
    return intake.Known(ledger, transaction.posts, transaction.said, transaction.is_taken)


def _save_part(transaction: Transaction, got: intake.Intake, source: str, save: Save, now: datetime) -> None:
    transaction.learn(got.learned, now)
    save(transaction, got.changes)
    transaction.save_said(source, got.said, now)
    transaction.touch_feeds_of(transaction.set_present(sorted(got.present)))
    if got.changes:
        transaction.record(source, last_change=now)


def _joined(taken: Taken, got: intake.Intake) -> Taken:
    new = sum(change.before is None for change in got.changes)
    return Taken(
        taken.new + new,
        taken.changed + len(got.changes) - new,
        taken.present | got.present,
        (*taken.set_aside, *got.set_aside),
    )
