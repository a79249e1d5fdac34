"""docs/coming-from.md: the translated examples of four other systems."""

import pytest
from waypost.compiler.definition import define

from tests.examples.conftest import ROOT, Shown, shown

PAGE = ROOT / "docs" / "coming-from.md"
NAMES = ["dag-diamond-", "job-poller", "money-transfer", "solar-flares"]
TRANSLATED = [row for row in shown() if str(row.id).startswith("docs/coming-from.md")]


def test_there_is_one_of_each_system() -> None:
    manifests = [row.values[0].manifest["metadata"] for row in TRANSLATED]
    assert sorted(m.get("name") or m["generateName"] for m in manifests) == NAMES


@pytest.mark.parametrize("example", TRANSLATED)
def test_a_translated_example_has_no_warning(example: Shown) -> None:
    definition = define(example.manifest["spec"])
    assert (definition.problems, definition.warnings) == ((), ())
