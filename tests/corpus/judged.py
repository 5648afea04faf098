"""Feeds of real blogs before judges that nobody here wrote: W3C's feed validator, RFC 4287's grammar, a JSON Feed schema, readers.

``python -m tests.corpus.judged CORPUS JUDGES… [--out FOLDER]``. A folder of JUDGES holds ``w3c.py`` (a command that prints
``FILE<tab>OK|FAIL`` and then what is wrong), ``atom.rnc`` (the grammar) or ``jsonfeed_check.py``; jing, newsboat and rss2email's
r2e are found on the PATH.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from lxml import etree

from tests.corpus.published import publications

Row = tuple[str, int, int, list[str]]
Judge = Callable[[Path, Sequence[Path]], "dict[Path, str]"]
"""From the judge's own file and documents to what is wrong with which of them."""

_BATCH = 200


def w3c(program: Path, files: Sequence[Path]) -> dict[Path, str]:
    """What the W3C feed validator says; ``CharacterData`` is a matter of taste."""
    found: dict[Path, str] = {}
    file = Path()
    lines = _lines([str(program), *map(str, files)])
    _expect_every(files, lines, program)
    for line in lines:
        if line.startswith("  "):
            found[file] = (
                found[file] + " " + line.strip() if file in found and "CharacterData\t" not in line else found.get(file, "")
            )
        elif line.count("\t") >= 1:
            file = Path(line.partition("\t")[0])
            found |= {file: line.partition("\t")[2]} if "\tFAIL\t" in line else {}
    return {file: said for file, said in found.items() if said}


def jing(grammar: Path, files: Sequence[Path]) -> dict[Path, str]:
    """What jing says of Atom documents."""
    lines = _lines(["jing", "-c", str(grammar), *map(str, files)])
    return {Path(line.partition(":")[0]): line for line in lines if ": error:" in line or ": fatal:" in line}


def jsonfeed(program: Path, files: Sequence[Path]) -> dict[Path, str]:
    """What the schema of JSON Feed 1.1 says."""
    found: dict[Path, str] = {}
    file = Path()
    lines = _lines([sys.executable, str(program), *map(str, files)])
    _expect_every(files, lines, program)
    for line in lines:
        if line.startswith(" "):
            found[file] = f"{found.get(file, '')} {line.strip()}"
        else:
            file = Path(line.rpartition(" ")[0])
            found |= {file: "INVALID"} if line.endswith("INVALID") else {}
    return found


def _expect_every(files: Sequence[Path], lines: Sequence[str], program: Path) -> None:
    """A judge that says nothing of a document did not judge it."""
    if unjudged := [file for file in files if not any(line.startswith(str(file)) for line in lines)]:
        raise RuntimeError(f"{program}: says nothing of {len(unjudged)} documents, such as {unjudged[0]}; does it run by itself?")


def newsboat(folder: Path, opml: Path) -> str:
    """The feeds that newsboat has after it imported a subscription list."""
    urls = folder / "urls"
    urls.touch()
    _lines(["newsboat", "-q", "-C", "/dev/null", "-c", str(folder / "cache.db"), "-u", str(urls), "-i", str(opml)])
    return urls.read_text(encoding="utf-8")


def rss2email(folder: Path, opml: Path) -> str:
    """The feeds that rss2email has after it imported a subscription list."""
    own = ["r2e", "-c", str(folder / "r2e.cfg"), "-d", str(folder / "r2e.json")]
    for arguments in (["new", "ann@blog.example"], ["opmlimport", str(opml)]):
        _lines([*own, *arguments])
    return "\n".join(_lines([*own, "list"]))


IMPORTERS = {"newsboat": newsboat, "r2e": rss2email}
JUDGES: Mapping[str, tuple[Judge, str, tuple[str, ...]]] = {
    "W3C validator": (w3c, "w3c.py", (".atom", ".rss")),
    "RFC 4287 grammar": (jing, "atom.rnc", (".atom",)),
    "JSON Feed schema": (jsonfeed, "jsonfeed_check.py", (".json",)),
}
"""Judge -> how it is asked, the file that it is, and what it judges."""


def check(corpus: Path, judges: Sequence[Path], out: Path) -> Iterator[Row]:
    """A row per blog and judge: documents without a fault."""
    for name, documents in publications(corpus):
        files = [_put(out / name, path, body) for path, body in documents if path.startswith("/feeds")]
        for label, (judge, own, suffixes) in JUDGES.items():
            found = next((folder / own for folder in judges if (folder / own).exists()), None)
            judged = [file for file in files if file.suffix in suffixes]
            if found is None or (judge is jing and not shutil.which("jing")):
                continue
            faults = {
                k: v for start in range(0, len(judged), _BATCH) for k, v in judge(found, judged[start : start + _BATCH]).items()
            }
            misses = [f"{file.relative_to(out)}: {said}" for file, said in faults.items()]
            yield f"{name}: {label}", len(judged) - len(misses), len(judged), misses
        for opml in (file for file in files if file.suffix == ".opml"):
            yield from _imports(name, opml)


def _imports(name: str, opml: Path) -> Iterator[Row]:
    """A row per reader: feeds of a subscription list that it has after importing it."""
    wanted = [outline.get("xmlUrl", "") for outline in etree.parse(opml).iter("outline") if outline.get("xmlUrl")]
    for program, imported in IMPORTERS.items():
        if shutil.which(program):
            with tempfile.TemporaryDirectory() as folder:
                present = imported(Path(folder), opml).split()
            missing = [f"{program} has no {url}" for url in wanted if not any(url in word for word in present)]
            yield f"{name}: imported by {program}", len(wanted) - len(missing), len(wanted), missing


def _put(folder: Path, path: str, body: bytes) -> Path:
    """A document as a file; what is asked for in the query stands before the suffix."""
    address, _, query = path.partition("?")
    stem, dot, suffix = address.strip("/").rpartition(".")
    file = folder / f"{stem}{re.sub('[^a-z]', '-', f'-{query}') if query else ''}{dot}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return file


def _lines(command: Sequence[str]) -> list[str]:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]}: exit code {result.returncode}: {result.stderr[-500:]}")
    return result.stdout.splitlines()


def main() -> int:
    """Print what the judges say. Exit code 1 when one finds a fault, 2 when there is none to ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("judges", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, help="keep the documents here")
    arguments = parser.parse_args()
    misses, rows = 0, 0
    with nullcontext(arguments.out) if arguments.out else tempfile.TemporaryDirectory() as out:
        for label, met, checked, faults in check(arguments.corpus, arguments.judges, Path(out)):
            sys.stdout.writelines([f"{label}: {met} of {checked}\n", *(f"  {fault}\n" for fault in faults)])
            misses, rows = misses + len(faults), rows + 1
    return 2 if not rows else 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
