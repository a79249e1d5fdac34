"""The tests that the table of reported troubles names exist."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TABLE: Final = ROOT / "e2e/suite/reported/README.md"
_NAMED: Final = re.compile(r"`((?:e2e|tests)/[\w/]+\.py)(?:::(\w+))?`")


def test_each_row_names_tests_that_exist() -> None:
    rows = [row for row in TABLE.read_text().splitlines() if row.startswith("| ")]
    troubles = [row for row in rows if not row.startswith("| trouble |")]
    assert [row for row in troubles if not _NAMED.search(row)] == []
    missing = [
        f"{path}::{name}"
        for path, name in _NAMED.findall("\n".join(troubles))
        if not (ROOT / path).is_file() or f"def {name or ''}" not in (ROOT / path).read_text()
    ]
    assert missing == []
    assert len(troubles) > 40


def test_each_test_on_a_cluster_has_a_row() -> None:
    table = TABLE.read_text()
    files = sorted(TABLE.parent.glob("test_*.py"))
    assert [file.name for file in files if file.name not in table] == []
