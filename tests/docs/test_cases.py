"""The lists of decided cases name tests that exist."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

TESTS: Final = Path(__file__).resolve().parents[1]
DOCS: Final = TESTS.parent / "docs"
NUMBERS: Final = {
    "cases.yaml": {*range(1, 131), *range(201, 255)},
    "memory_cases.yaml": {*range(1, 30), *range(101, 111)} - {18},
}
pytestmark = pytest.mark.parametrize("listed", NUMBERS)


def _cases(listed: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = yaml.safe_load((TESTS / "docs" / listed).read_text())
    return found


def test_each_case_has_a_test_that_exists(listed: str) -> None:
    texts: dict[str, str] = {}
    missing = []
    for number, case in _cases(listed).items():
        assert case["case"], number
        assert case["tests"], number
        for place in case["tests"]:
            file, _, name = place.partition("::")
            if file not in texts:
                path = TESTS / file
                texts[file] = path.read_text(encoding="utf-8") if path.exists() else ""
            if name not in texts[file]:
                missing.append(f"{number}: {place}")
    assert missing == []


def test_the_list_is_complete(listed: str) -> None:
    assert NUMBERS[listed] <= _cases(listed).keys()


def test_what_was_decided_otherwise_is_written_somewhere(listed: str) -> None:
    for number, case in _cases(listed).items():
        page = case.get("instead", "x: maps.md").rpartition(": ")[2].split()[0]
        assert (DOCS / page).exists(), number
