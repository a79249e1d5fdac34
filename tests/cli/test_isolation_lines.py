"""What `waypost get` says of the isolation of a run."""

import pytest
from waypost.api.state.isolation import ControlStatus
from waypost.cli.report.isolation import lines


@pytest.mark.parametrize(
    ("controls", "shown"),
    [
        pytest.param([], [], id="no-attempt-yet"),
        pytest.param(
            [
                {"control": "Egress", "off": 3},
                {"control": "UserNamespace", "off": 3},
                {"control": "Seccomp", "applied": 3},
                {"control": "Restricted", "applied": 3},
            ],
            ["Egress 3 off"],
            id="nothing-declared",
        ),
        pytest.param(
            [
                {"control": "Egress", "verified": 2, "off": 1},
                {"control": "UserNamespace", "applied": 3},
                {"control": "RuntimeClass", "applied": 1, "off": 2},
                {"control": "Seccomp", "verified": 2, "applied": 1},
            ],
            [
                "Egress 2 verified, 1 off · UserNamespace 3 applied · RuntimeClass 1 applied, 2 off"
                " · Seccomp 2 verified, 1 applied"
            ],
            id="declared",
        ),
        pytest.param(
            [{"control": "Egress", "unavailable": 1, "message": "a: it reaches \x1b[31mme"}],
            ["Egress 1 unavailable", "Egress did not hold: a: it reaches  [31mme"],
            id="what-did-not-hold-and-no-escape-sequence",
        ),
    ],
)
def test_lines(controls: list[dict[str, object]], shown: list[str]) -> None:
    assert list(lines([ControlStatus.model_validate(one) for one in controls])) == shown
