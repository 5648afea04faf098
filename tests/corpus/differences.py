"""The written list of justified differences: ``differences.txt`` names them, ``docs/corpus-differences.md`` has the reasons."""

from pathlib import Path

LIST = Path(__file__).with_name("differences.txt")


def load(corpus: str) -> dict[str, str]:
    """Case -> name of its group, of one corpus. A line is ``<corpus> <group> <case>``."""
    lines = (line.split(maxsplit=2) for line in LIST.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return {case: group for name, group, case in lines if name == corpus}
