"""The list of decided cases names tests that exist."""

from pathlib import Path
from typing import Any, Final

import yaml

TESTS: Final = Path(__file__).resolve().parents[1]
DOCS: Final = TESTS.parent / "docs"
NUMBERS: Final = (range(1, 131), range(201, 255))


def _cases() -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = yaml.safe_load((TESTS / "docs/cases.yaml").read_text())
    return found


def test_each_case_has_a_test_that_exists() -> None:
    texts: dict[str, str] = {}
    missing = []
    for number, case in _cases().items():
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


def test_the_list_is_complete() -> None:
    assert {number for numbers in NUMBERS for number in numbers} <= _cases().keys()


def test_what_was_decided_otherwise_is_written_somewhere() -> None:
    for number, case in _cases().items():
        page = case.get("instead", "x: maps.md").rpartition(": ")[2].split()[0]
        assert (DOCS / page).exists(), number
