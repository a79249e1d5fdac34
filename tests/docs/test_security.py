"""docs/security.md: each control, class of weaknesses and weakness names tests, and they exist."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = (ROOT / "docs/security.md").read_text(encoding="utf-8")
_NAMED: Final = re.compile(r"`((?:e2e|tests)/[\w/]+?(?:\.py)?)(?:::(\w+))?`")
# The tables with a column of tests, and the fewest rows that each of them has.
TABLES: Final = {
    "Controls": 25,
    "What happened to others": 16,
    "Weaknesses that were found here": 15,
}


def rows(heading: str) -> list[str]:
    """The rows of the table below a heading, without its head."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return table[2:]


def missing(text: str) -> list[str]:
    """The tests that a text names and that do not exist."""
    return [
        f"{path}::{name}" if name else path
        for path, name in _NAMED.findall(text)
        if not (ROOT / path).exists()
        or (name and not re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize(("heading", "fewest"), TABLES.items(), ids=TABLES)
def test_each_row_names_tests_that_exist(heading: str, fewest: int) -> None:
    found = rows(heading)
    assert len(found) >= fewest
    assert [row for row in found if not _NAMED.search(row.rpartition(" | ")[2])] == []
    assert missing("\n".join(found)) == []


def test_weaknesses_are_complete() -> None:
    found = [row.split("|")[1].strip() for row in rows("Weaknesses that were found here")]
    assert found == [f"W{number}" for number in range(1, 16)]


def test_a_test_that_does_not_exist_is_noticed() -> None:
    assert missing("`tests/docs/test_security.py::test_that_nobody_wrote`")
    assert missing("`tests/docs/test_nothing.py`")
    assert not missing("`tests/docs/test_security.py::rows` and `tests/docs`")
