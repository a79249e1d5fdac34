"""No document has the marks that a merge leaves where it has found a conflict."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARKS = ("<<<<<<< ", ">>>>>>> ")


def documents() -> list[Path]:
    """What no compiler reads."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/**/*.md")])


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_conflict_is_left(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(MARKS)] == []
