"""Ten thousand posts of random Unicode: all are published, in every format."""

from pathlib import Path

from tests.unicode import unpublished

COUNT = 10_000


def check(_corpus: Path) -> tuple[int, int, list[str]]:
    """Posts that were published, of how many, and what was lost."""
    lost = unpublished(COUNT)
    return COUNT - len(lost), COUNT, lost
