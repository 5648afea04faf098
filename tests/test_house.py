"""The rules of the house, so that nobody has to remember them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from feeds.configuration import Compression, Override
from feeds.model import Site, Source, Topic
from feeds.operation import Fetching, Serving
from feeds.settings import Settings
from feeds.sources import KINDS

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "feeds").rglob("*.py"))
LONGEST = 300
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
"""What Markdown sets as code."""

pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PURE = (
    "model", "text", "keys", "identity", "merge", "intake", "classify", "compression", "representation", "schedule", "gate",
    "lifecycle", "selection",
)  # fmt: skip
TABLES = {
    "site": Site,
    "sources": Source,
    "topics": Topic,
    "overrides": Override,
    "fetch": Fetching,
    "serve": Serving,
    "compression": Compression,
}
KEYS = [*(f"{table}.{key}" for table, model in TABLES.items() for key in model.model_fields), *Settings.model_fields]


def test_imports_go_in_the_directions_of_the_house() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_that_the_contract_names_exists() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = {
        name.strip() for c in linter["contracts"] if c["type"] == "layers" for layer in c["layers"] for name in layer.split("|")
    }
    there = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}
    assert layers <= there, "the contract names a module that is no more"


def test_no_reader_is_forgotten_where_readers_are_kept_apart() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    apart = next(set(c["modules"]) for c in linter["contracts"] if c["name"] == "A reader of one kind knows no other")
    assert apart >= {f"feeds.sources.{reader}" for readers in KINDS.values() for reader in readers} | {"feeds.sources.page"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_knows(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_at_one_sitting(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_reads_no_clock_and_opens_nothing(name: str) -> None:
    files = [path for path in MODULES if name in (path.stem, path.parent.name)]
    source = "\n".join(path.read_text(encoding="utf-8").replace("from __future__ import annotations", "") for path in files)
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    assert not {call for call in called if re.search(r"(^|\.)(now|utcnow|today|open|urlopen|read_text|getenv|sleep|random)$", call)}


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_documented(key: str) -> None:
    name = re.escape(key.rpartition(".")[2])
    code = "\n".join(part for page in pages for part in CODE.findall(page.read_text(encoding="utf-8")))
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", code), f"{key} is in neither README.md nor docs/"


def test_the_list_of_decisions_names_each_once_in_order() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(r"^(\d+)\. \[.*\]\((.*)\)$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [(f"{int(number):04}", name) for number, name in listed] == [(name[:4], name) for name in files]
    assert len({name[:4] for name in files}) == len(files)
    for name in files:
        assert (folder / name).read_text(encoding="utf-8").startswith(f"# {int(name[:4])}. ")
