"""Each case is a folder in ``tests/data/folder/`` beside its ``<case>.expected.json``: to add a case, add both.

What is expected names the source's settings, and what the folder gives in the order of its files: everything that is not empty.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feeds.asking.folder import fingerprint, read
from feeds.errors import FetchError
from feeds.model import Document, Source
from feeds.sources import folder, parse

DATA = Path(__file__).parent / "data" / "folder"
CASES = sorted(case for case in DATA.iterdir() if case.is_dir())


def expectation(case: Path) -> Path:
    return case.with_name(f"{case.name}.expected.json")


def gives(case: Path, source: dict[str, str], zone: str) -> dict[str, Any]:
    settings = Source(id="blog", kind="folder", path=str(case), **{"url": "https://blog.example/"} | source)
    parsed = [parse(settings, file, zone=ZoneInfo(zone)) for file in read(case, max_files=50, max_bytes=100_000)]
    return {
        "drafts": [written(asdict(draft)) for one in parsed for draft in one.drafts],
        "set_aside": [written(asdict(item)) for one in parsed for item in one.set_aside],
    }


def written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: written(item) for name, item in value.items() if item}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_folder_is_read_as_expected(case: Path) -> None:
    expected = json.loads(expectation(case).read_text(encoding="utf-8"))
    got = gives(case, expected.pop("source", {}), expected.pop("zone", "UTC"))
    assert got == {"drafts": [], "set_aside": []} | expected


def test_every_expectation_belongs_to_a_folder() -> None:
    assert {file.name for file in DATA.glob("*.json")} == {expectation(case).name for case in CASES}


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: " + "[" * 60_000 + "\n---\n",
        "---\n" + "- " * 30_000 + "a\n---\n",
        "+++\nx = " + "[" * 20_000 + "\n+++\n",
        '{"a":' + "[" * 30_000,
        "---\ntags: &t [*t]\nauthor: *t\n---\nx",
        "---\na: &a [x,x]\nb: &b [*a,*a,*a]\ntags: [*b,*b]\n---\nx",
        "```a\nb\n~~~\n" * 10_000,
        "{% " * 30_000,
        "{% highlight a %}\n" * 3_000,
        "{{raw `" * 20_000,
        "{{< " * 30_000,
        "{{< " + "a" * 100_000,
    ],
    ids=lambda text: text[:12].strip(),
)
def test_hostile_text_ends_in_time_and_without_an_exception(text: str) -> None:
    began = time.process_time()
    source = Source(id="blog", kind="folder", url="https://blog.example/")
    parsed = folder.parse(Document("file:x.md", text.encode()), source=source, zone=UTC)
    assert len(parsed.drafts) + len(parsed.set_aside) == 1
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("permalink", "path", "url"),
    [
        ("/:path/", "a/b/2024-01-02-c.md", "https://blog.example/a/b/2024-01-02-c/"),
        ("/:path/", "content/a/2024-01-02-c/index.md", "https://blog.example/a/2024-01-02-c/"),
        ("/:path/", "a/index.md", "https://blog.example/a/"),
        ("/:path/", "index.md", "https://blog.example/"),
        ("/:section/:year/:slug", "a/b/2024-01-02-c.md", "https://blog.example/a/2024/c"),
        ("/:sections/:slug/", "2024-01-02-c d#1.md", "https://blog.example/c%20d%231/"),
        ("/:filename.html", "a/tidb-5.3-$+.md", "https://blog.example/tidb-5.3-$+.html"),
        ("/:year/:month/:title/", "2024-01-02-c.md", "https://blog.example/2024/01/the-title-c/"),
        ("date", "_posts/2024-01-02-c.md", "https://blog.example/2024/01/02/c.html"),
        ("https://other.example/x/:slug", "2024-01-02-c.md", "https://other.example/x/c"),
    ],
)
def test_the_pattern_gives_the_address(permalink: str, path: str, url: str) -> None:
    source = Source(id="blog", kind="folder", url="https://blog.example", permalink=permalink)
    [draft] = folder.parse(Document(f"file:{path}", b"---\ntitle: The title, C\n---\nx"), source=source, zone=UTC).drafts
    assert draft.url == url


def test_a_pattern_with_a_date_sets_an_undated_file_aside() -> None:
    source = Source(id="blog", kind="folder", url="https://blog.example", permalink="/:year/:slug/")
    parsed = folder.parse(Document("file:c.md", b"---\ntitle: C\n---\nx"), source=source, zone=UTC)
    assert [(item.key, "no date" in item.reason) for item in parsed.set_aside] == [("file:c.md", True)]


def test_an_address_that_repeats_the_sites_path_is_not_doubled() -> None:
    source = Source(id="blog", kind="folder", url="https://example.org/blog")
    [draft] = folder.parse(Document("file:c.md", b"---\nurl: /blog/c/\naliases: [d]\n---\nx"), source=source, zone=UTC).drafts
    assert (draft.url, draft.aliases) == ("https://example.org/blog/c/", ("https://example.org/blog/d",))


def names(path: Path) -> list[str]:
    return [file.url for file in read(path, max_files=50, max_bytes=10_000)]


def test_what_is_hidden_foreign_or_outside_is_not_read(tmp_path: Path) -> None:
    blog = tmp_path / "blog"
    for name in ("b.md", "a/c.markdown", "a.md", ".git/x.md", "node_modules/x.md", ".x.md", "x.png", "p.HTML"):
        (blog / name).parent.mkdir(parents=True, exist_ok=True)
        (blog / name).write_text("x")
    (tmp_path / "secret.md").write_text("x")
    (blog / "out.md").symlink_to(tmp_path / "secret.md")
    (blog / "up").symlink_to(tmp_path)
    (blog / "git.md").symlink_to(blog / ".git" / "x.md")
    (blog / "in.md").symlink_to(blog / "b.md")
    (blog / "gone.md").symlink_to(blog / "nothing.md")
    os.mkfifo(blog / "pipe.md")
    assert names(blog) == ["file:a.md", "file:a/c.markdown", "file:b.md", "file:in.md", "file:p.HTML"]


def test_a_missing_folder_is_a_connection_that_failed(tmp_path: Path) -> None:
    for look in (names, fingerprint):
        with pytest.raises(FetchError) as caught:
            look(tmp_path / "none")
        assert caught.value.cause == "connection"


@pytest.mark.parametrize(("max_files", "max_bytes"), [(1, 100), (2, 7)])
def test_too_much_is_refused_before_any_of_it_is_given(tmp_path: Path, max_files: int, max_bytes: int) -> None:
    (tmp_path / "a.md").write_text("1234")
    (tmp_path / "b.md").write_text("1234")
    with pytest.raises(FetchError) as caught:
        next(read(tmp_path, max_files=max_files, max_bytes=max_bytes))
    assert caught.value.cause == "too-large"
    assert len(list(read(tmp_path, max_files=2, max_bytes=8))) == 2


def test_the_fingerprint_moves_with_every_change(tmp_path: Path) -> None:
    post = tmp_path / "a.md"
    post.write_text("1")
    seen = [fingerprint(tmp_path)]
    assert fingerprint(tmp_path) == seen[0]
    post.write_text("12")
    seen.append(fingerprint(tmp_path))
    os.utime(post, ns=(1, 1))
    seen.append(fingerprint(tmp_path))
    post.rename(tmp_path / "b.md")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "b.md").unlink()
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == 5
