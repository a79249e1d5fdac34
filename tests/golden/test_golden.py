"""What every release left behind is decided today as it was then (T8).

A difference is either a defect or a decision; a decision is written into ALLOWED with its reason.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.golden.moments import replayed

SETS: Final = sorted(Path(__file__).parent.glob("*/*.json"))
# (release, number of the moment) -> why today's engine decides otherwise
ALLOWED: Final[dict[tuple[str, int], str]] = {
    ("0.1.0.dev0", 1): "the status counts how attempts were isolated (S626)",
    ("0.1.0.dev0", 2): "the status counts how attempts were isolated (S626)",
    ("0.1.0.dev0", 3): "an attempt records the exit code that it failed with (S49)",
    ("0.1.0.dev0", 5): "the command that answers an Approval has the name of the approver (S360)",
    ("0.1.0.dev0", 6): "the command that answers an Approval has the name of the approver (S360)",
    ("0.1.0.dev0", 9): "the status counts how attempts were isolated (S626)",
}


def moments() -> list[Any]:
    """Every moment of every release."""
    found = []
    for path in SETS:
        document = json.loads(path.read_text())
        for number, moment in enumerate(document["moments"]):
            name = f"{path.parent.name}-{path.stem}-{number}"
            found.append(pytest.param(path.parent.name, number, document["spec"], moment, id=name))
    return found


@pytest.mark.parametrize(("release", "number", "spec", "moment"), moments())
def test_a_moment_is_decided_as_it_was(release: str, number: int, spec: Any, moment: Any) -> None:
    found = replayed(spec, moment)
    if (release, number) in ALLOWED:
        assert found != moment["then"], "the difference is gone: take it off the list"
        return
    assert found["actions"] == moment["then"]["actions"]
    assert found["patch"] == moment["then"]["patch"]


def test_each_release_has_states_from_the_middle_of_a_run() -> None:
    assert SETS
    for path in SETS:
        moments = json.loads(path.read_text())["moments"]
        phases = {n["phase"] for m in moments for n in m["run"]["status"].get("nodes", [])}
        assert {
            "Pending",
            "Running",
            "Waiting",
            "Backoff",
            "Succeeded",
            "Failed",
            "Skipped",
        } <= phases
