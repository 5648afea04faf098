"""The algebra over topics: ``a,b`` any of, ``a+b`` all of, ``-c`` but not; how it is written, its one normal form, what it selects.

Pure. It knows slugs and nothing of posts, addresses or storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from feeds.errors import SelectionError
from feeds.model import ALL

LARGEST = 8
"""Topics that a selection may name in its normal form, ``all`` not counted; one in several groups counts in each, as it costs."""

LONGEST = 2000
"""Characters in which a selection may be written: several times what as many topics need, and little to read."""

_SHOWN = 64
_AROUND_OPERATORS = re.compile(r"\s*([,+])\s*")
_AFTER_MINUS = re.compile(r"(^|[,+\s])-\s+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Selection:
    """Posts that are in every topic of one of the groups ``any_of``, and in no topic of ``without``.

    No group at all selects nothing. ``str()`` writes a selection as it stands in an address.
    """

    any_of: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ",".join(["+".join(group) for group in self.any_of] + [f"-{slug}" for slug in self.without])

    @property
    def is_combination(self) -> bool:
        """Whether it is more than one topic as it is."""
        return bool(self.without) or len(self.any_of) > 1 or any(len(group) > 1 for group in self.any_of)

    @property
    def topics(self) -> tuple[str, ...]:
        """Every slug that is named, each once, sorted."""
        return tuple(sorted({slug for group in self.any_of for slug in group} | set(self.without)))


def parse(text: str) -> Selection:
    """Read a selection as people write it; not yet in normal form.

    ``+`` binds closer than ``,``. An exclusion holds for the whole selection, wherever it stands. Case, spaces around operators and
    empty terms make no difference; a space between two terms is a ``+`` that was decoded once too often. Raises SelectionError.
    """
    if len(text) > LONGEST:
        raise SelectionError(f"A selection may be written in at most {LONGEST} characters.")
    tidy = _AFTER_MINUS.sub(r"\1-", _AROUND_OPERATORS.sub(r"\1", text.strip().lower()))
    groups = [[term for term in group.split("+") if term.strip("-")] for group in _SPACE.sub("+", tidy).split(",")]
    terms = [term for group in groups for term in group]
    if not terms:
        raise SelectionError("This names no topic.")
    wanted = [tuple(term for term in group if not term.startswith("-")) for group in groups]
    any_of = tuple(group for group in wanted if group) or ((ALL,),)
    for group, kept in zip(groups, wanted, strict=True):
        if len(any_of) > 1 and 0 < len(kept) < len(group):
            raise SelectionError(
                f"'{'+'.join(group)[:_SHOWN]}': an exclusion holds for the whole selection and is a term of its own, as in a,b,-c."
            )
    return _of_bounded_size(Selection(any_of, tuple(term[1:] for term in terms if term.startswith("-"))))


def _of_bounded_size(selection: Selection) -> Selection:
    """The same selection. Different topics are counted first: few make few groups, and those are soon brought into normal form."""
    if len({*selection.topics} - {ALL}) <= LARGEST:
        normal = canonical(selection)
        if sum(slug != ALL for slug in chain(*normal.any_of, normal.without)) <= LARGEST:
            return selection
    raise SelectionError(f"A selection may name at most {LARGEST} topics; one that stands in several groups counts in each.")


def resolve(
    selection: Selection,
    topics: Collection[str],
    *,
    aliases: Mapping[str, str] | None = None,
    retired: Mapping[str, str] | None = None,
) -> Selection:
    """The selection by present slugs, in normal form. ``aliases`` lead from former slugs to present ones.

    An exclusion that hits what is asked for only since one of them leads to the other is dropped: ``a,-b`` is ``a`` if b became a.
    ``retired`` are topics that have no posts any more, with the slug or URL that each leads to. One that leads to another topic is
    replaced by that one where it is asked for; else a group that asks for it is dropped, and so is its exclusion.
    Raises SelectionError when a topic does not exist, or when nothing can be in the selection.
    """
    aliases, retired = aliases or {}, retired or {}
    named = _renamed(selection, lambda slug: aliases.get(slug, slug))
    if unknown := [slug for slug in named.topics if slug not in {ALL, *topics, *retired}]:
        some = f"There is no topic {_listed(unknown)}" if len(unknown) == 1 else f"There are no topics {_listed(unknown)}"
        raise SelectionError(f"{some}. All topics: /api/topics.json")
    gone = tuple(slug for slug in named.topics if slug in retired)
    heirs = {slug: _heir(slug, topics, aliases, retired) for slug in gone}
    present = _merged(canonical(selection), aliases)
    groups = [[heirs.get(slug, slug) for slug in group] for group in present.any_of]
    without = tuple(slug for slug in present.without if slug not in heirs)
    normal = canonical(Selection(tuple(tuple(group) for group in groups if all(group)), without))
    if not normal.any_of and gone:
        raise SelectionError(f"Retired: {_listed(gone)}. All topics: /api/topics.json", retired=gone)
    if not normal.any_of:
        raise SelectionError("No post can be in this selection: it excludes everything that it asks for.")
    return normal


def _merged(meant: Selection, aliases: Mapping[str, str]) -> Selection:
    """By present slugs, without the exclusions of what is asked for: in a normal form they can only have come together since."""
    present = _renamed(meant, lambda slug: aliases.get(slug, slug))
    wanted = {slug for group in present.any_of for slug in group}
    return Selection(present.any_of, tuple(slug for slug in present.without if slug not in wanted))


def _heir(slug: str, topics: Collection[str], aliases: Mapping[str, str], retired: Mapping[str, str]) -> str:
    """The topic that a retired one leads to at last; nothing where that is none, or the feed of all posts."""
    seen: set[str] = set()
    while slug in retired and slug not in seen:
        seen.add(slug)
        slug = aliases.get(retired[slug], retired[slug])
    return slug if slug in topics and slug != ALL else ""


def canonical(selection: Selection) -> Selection:
    """The normal form: two selections have the same one exactly when they select the same posts, whatever the posts.

    Groups and slugs are sorted and each there once; a group that asks for more than another is absorbed by it (``a,a+b`` is
    ``a``), one that asks for what is excluded is dropped, and ``all`` stands only where nothing else is asked for.
    """
    if ALL in selection.without:
        return Selection(())
    groups = {frozenset(group) - {ALL} for group in selection.any_of}
    possible = {group for group in groups if group.isdisjoint(selection.without)}
    minimal = [group for group in possible if not any(other < group for other in possible)]
    if not minimal:
        return Selection(())
    any_of = sorted(tuple(sorted(group)) or (ALL,) for group in minimal)
    return Selection(tuple(any_of), tuple(sorted(set(selection.without))))


def evaluate(selection: Selection, topics: Collection[str]) -> bool:
    """Whether a post that is in these topics is selected."""
    within = {ALL, *topics}
    return any(within.issuperset(group) for group in selection.any_of) and within.isdisjoint(selection.without)


def identifier(selection: Selection, ids: Mapping[str, str]) -> str:
    """The selection written with permanent ids in place of slugs: the same before and after a topic is renamed."""
    return str(canonical(_renamed(selection, ids.__getitem__)))


def in_words(selection: Selection, titles: Mapping[str, str], names: Mapping[str, str]) -> str:
    """How a person would say it: ``eBPF or kernel internals, without assembly``.

    ``titles`` are the topics' titles, with which the phrase begins; ``names`` what they are called within a sentence.
    """
    first = selection.any_of[0][0]
    groups = [[names[slug] for slug in group] for group in selection.any_of]
    groups[0][0] = titles[first]
    several = any(len(group) > 1 for group in groups)
    phrases = [_series(group, "and") for group in groups]
    wanted = ", or ".join(phrases) if several else _series(phrases, "or")
    unwanted = _series([names[slug] for slug in selection.without], "or")
    return f"{wanted}, without {unwanted}" if unwanted else wanted


def _renamed(selection: Selection, name: Callable[[str], str]) -> Selection:
    groups = tuple(tuple(slug if slug == ALL else name(slug) for slug in group) for group in selection.any_of)
    return Selection(groups, tuple(slug if slug == ALL else name(slug) for slug in selection.without))


def _series(words: list[str], conjunction: str) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *others, last = words or [""]
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def _listed(slugs: Iterable[str]) -> str:
    return ", ".join(f"'{slug[:_SHOWN]}'" for slug in slugs)
