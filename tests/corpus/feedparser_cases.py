"""feedparser's own cases: nothing crashes, and what a case expects of an entry is what our draft of it says.

An expectation is a Python expression over feedparser's result. Its comparisons of an entry's field with a literal are read off the
syntax tree (nothing is evaluated) and put to the draft; what concerns the feed, the parser or fields that we do not keep is not.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feeds.errors import ParseError
from feeds.model import Document, Draft, Source
from feeds.sources import parse
from feeds.sources.titles import plain_title
from feeds.text import absolute, one_line, plain, sanitise
from tests.corpus import differences

SOURCE = Source(id="corpus", url="http://127.0.0.1:8097/feed")
Wanted = tuple[int, tuple[Any, ...], Any]


def check(corpus: Path) -> list[tuple[str, int, int, list[str]]]:
    """Rows: cases without a crash; expectations met, by field; justified differences."""
    folder = corpus / "feed-cases" / "feedparser"
    facts = [json.loads(line) for line in _lines(folder.with_name("feedparser.facts.jsonl"))]
    described = {fact["file"]: fact for fact in facts}
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    crashes: list[str] = []
    met, checked, misses, justified = Counter[str](), Counter[str](), list[str](), 0
    reasons = differences.load("feedparser")
    for name in files:
        try:
            drafts = _drafts(folder / name, name, described.get(name, {}).get("headers", {}))
        except Exception as error:  # noqa: BLE001  whatever is raised is the finding
            crashes.append(f"{name}: {error!r}")
            continue
        for wanted in _expectations(described.get(name, {}).get("expect", "1")):
            field = str(wanted[1][0])
            found = _found(drafts, wanted)
            checked[field] += 1
            met[field] += found is None
            if found is not None and name in reasons:
                justified += 1
            elif found is not None:
                misses.append(f"{name}: {wanted[1]} is to be {wanted[2]!r}, is {found!r}")
    rows = [("feedparser: no crash", len(files) - len(crashes), len(files), crashes)] if files else []
    rows += [(f"feedparser: {field}", met[field], checked[field], []) for field in sorted(checked)]
    total = sum(checked.values())
    return [*rows, (f"feedparser: all ({justified} more justified)", sum(met.values()), total, misses)]


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _drafts(file: Path, name: str, headers: dict[str, str]) -> tuple[Draft, ...]:
    given = {key.lower(): value for key, value in headers.items()}
    media_type, _, parameters = given.get("content-type", "application/xml").partition(";")
    charset = re.search(r"charset=\"?'?([\w.:-]+)", parameters)
    url = absolute(given.get("content-location", ""), f"http://127.0.0.1:8097/{name}") or SOURCE.url
    try:
        return parse(SOURCE, Document(url, file.read_bytes(), media_type, charset[1] if charset else ""), zone=UTC).drafts
    except ParseError:
        return ()


def _expectations(expression: str) -> Iterator[Wanted]:
    """Each (number of the entry, path into it, literal) that the expression compares for equality, of the fields that we keep."""
    for node in ast.walk(ast.parse(expression.strip() or "1", mode="eval")):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq) and len(node.ops) == 1:
            path = _path(node.left)
            if len(path) > 2 and path[0] == "entries" and tuple(key for key in path[2:] if isinstance(key, str)) in FIELDS:
                yield path[1], path[2:], _literal(node.comparators[0])


def _literal(node: ast.expr) -> Any:
    """A literal; sums and repetitions of literals too."""
    if isinstance(node, ast.BinOp):
        left, right = _literal(node.left), _literal(node.right)
        return left * right if isinstance(node.op, ast.Mult) else left + right
    return ast.literal_eval(node)


def _path(node: ast.expr) -> tuple[Any, ...]:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return (*_path(node.value), node.slice.value)
    if isinstance(node, ast.Attribute):
        return (*_path(node.value), node.attr)
    return (node.id,) if isinstance(node, ast.Name) else ()


def _found(drafts: tuple[Draft, ...], wanted: Wanted) -> object:
    """None where the draft says what is wanted, else what it says."""
    number, path, value = wanted
    if number >= len(drafts):
        return "no such entry"
    draft = drafts[number]
    at = next((key for key in path if isinstance(key, int)), 0)
    found = FIELDS[tuple(key for key in path if isinstance(key, str))](draft, value, at)
    return None if found is True else found


def _equal(found: str, value: str) -> object:
    return one_line(found) == one_line(value or "") or found or "nothing"


def _title(draft: Draft, value: str, _: int) -> object:
    """A title is plain text here and may be HTML there: equal as they read."""
    return draft.title in {one_line(value), plain_title(value), plain(value)} or draft.title


def _html(found: tuple[str, ...], value: str, base: str) -> object:
    """What is published is sanitised HTML with absolute URLs: equal when both are the same so, or read the same as plain text."""
    ours = {_normal(sanitise(html, base)) for html in found}
    return (
        _normal(sanitise(value, base)) in ours or bool({plain(value), one_line(value)} & {plain(html) for html in found}) or found
    )


def _normal(html: str) -> str:
    """Without the wrapper that XHTML asks for, or the paragraph that plain text is put in."""
    unwrapped = re.sub(r"^<(div|p)>(.*)</\1>$", r"\2", html.strip(), flags=re.DOTALL)
    return one_line(unwrapped)


def _text(draft: Draft, value: str, _: int) -> object:
    return _html((draft.summary, draft.content), value, draft.base or draft.url or SOURCE.url)


def _moment(draft: Draft, value: tuple[int, ...], *, updated: bool) -> object:
    wanted = datetime(*value[:6], tzinfo=UTC)
    found = draft.updated if updated else draft.published
    return found == wanted or found


def _person(draft: Draft, value: str, at: int, *, key: str) -> object:
    found = getattr(draft.authors[at], key) if at < len(draft.authors) else "no such author"
    return _equal(found, value)


def _author(draft: Draft, value: str, _: int) -> object:
    found = [f"{p.name} ({p.email})" if p.email and p.email != p.name else p.name for p in draft.authors]
    return value in found or value in [p.name for p in draft.authors] or found


def _tag(draft: Draft, value: str, at: int) -> object:
    return (at < len(draft.tags) and draft.tags[at] == one_line(value)) or value in draft.tags or draft.tags


def _file(draft: Draft, value: str, at: int, *, key: str) -> object:
    found = str(getattr(draft.enclosures[at], key)) if at < len(draft.enclosures) else "no such enclosure"
    return found == str(value) or found


FIELDS: dict[tuple[str, ...], Callable[[Draft, Any, int], object]] = {
    ("title",): _title,
    ("title_detail", "value"): _title,
    ("link",): lambda draft, value, _: draft.url == absolute(value, SOURCE.url) or draft.url,
    ("id",): lambda draft, value, _: _equal(draft.guid, value),
    ("guid",): lambda draft, value, _: _equal(draft.guid, value),
    ("summary",): _text,
    ("summary_detail", "value"): _text,
    ("description",): _text,
    ("content", "value"): _text,
    ("published",): lambda draft, value, _: _equal(draft.published_raw, value),
    ("created",): lambda draft, value, _: _equal(draft.published_raw, value),
    ("updated",): lambda draft, value, _: _equal(draft.published_raw, value),
    ("published_parsed",): lambda draft, value, _: _moment(draft, value, updated=False),
    ("created_parsed",): lambda draft, value, _: _moment(draft, value, updated=False),
    ("updated_parsed",): lambda draft, value, _: _moment(draft, value, updated=True),
    ("author",): _author,
    ("author_detail", "name"): lambda draft, value, at: _person(draft, value, at, key="name"),
    ("author_detail", "email"): lambda draft, value, at: _person(draft, value, at, key="email"),
    ("author_detail", "url"): lambda draft, value, at: _person(draft, value, at, key="url"),
    ("authors", "name"): lambda draft, value, at: _person(draft, value, at, key="name"),
    ("authors", "email"): lambda draft, value, at: _person(draft, value, at, key="email"),
    ("authors", "url"): lambda draft, value, at: _person(draft, value, at, key="url"),
    ("tags", "term"): _tag,
    ("tags", "label"): _tag,
    ("category",): _tag,
    ("language",): lambda draft, value, _: _equal(draft.language, value),
    ("content", "language"): lambda draft, value, _: _equal(draft.language, value),
    ("title_detail", "language"): lambda draft, value, _: _equal(draft.language, value),
    ("summary_detail", "language"): lambda draft, value, _: _equal(draft.language, value),
    ("enclosures", "href"): lambda draft, value, at: _file(draft, value, at, key="url"),
    ("enclosures", "url"): lambda draft, value, at: _file(draft, value, at, key="url"),
    ("enclosures", "type"): lambda draft, value, at: _file(draft, value, at, key="media_type"),
    ("enclosures", "length"): lambda draft, value, at: _file(draft, value, at, key="length"),
    ("image", "href"): lambda draft, value, _: _equal(draft.image, value),
    ("media_thumbnail", "url"): lambda draft, value, _: _equal(draft.image, value),
}
"""Path into feedparser's entry (numbers left out) -> (draft, literal, number) -> True, or what the draft has instead."""
