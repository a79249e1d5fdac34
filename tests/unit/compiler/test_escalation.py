"""S763: which levels of escalation a spec can have."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import gate, python, spec

CTO: JsonObject = {"approvers": {"users": ["cto"]}, "timeout": "1h"}


def asks(*levels: JsonObject, **fields: Any) -> JsonObject:
    escalates = {"timeout": "1h", "onTimeout": "Escalate", **fields}
    return gate("ok", escalation=list(levels), **escalates)


def asked(approvers: JsonObject) -> JsonObject:
    return asks({"approvers": approvers, "timeout": "1h"})


CASES = [
    pytest.param(
        gate("ok", timeout="1h", onTimeout="Escalate"),
        "onTimeout",
        "needs escalation",
        id="nobody-next",
    ),
    pytest.param(
        gate("ok", onTimeout="Escalate", escalation=[CTO]),
        "onTimeout",
        "needs a timeout",
        id="never",
    ),
    pytest.param(
        gate("ok", timeout="1h", escalation=[CTO]),
        "escalation",
        "only used with onTimeout: Escalate",
        id="without-effect",
    ),
    pytest.param(
        asks({"approvers": {"users": ["mia"]}}, CTO),
        "escalation[0].timeout",
        "only the last level may have no timeout",
        id="endless-level",
    ),
    pytest.param(
        asks({**CTO, "onTimeout": "Fail"}, {"approvers": {"users": ["ceo"]}}),
        "escalation[0].onTimeout",
        "only the last level has onTimeout",
        id="two-ends",
    ),
    pytest.param(
        asks({"approvers": {"users": ["cto"]}, "onTimeout": "Fail"}),
        "escalation[0].onTimeout",
        "no effect without a timeout",
        id="an-end-without-a-time",
    ),
    pytest.param(
        asks({**CTO, "timeout": "2d"}),
        "escalation[0].timeout",
        "there are no days",
        id="days",
    ),
    pytest.param(
        asks({**CTO, "timeout": "0s"}),
        "escalation[0].timeout",
        "longer than 0s",
        id="zero",
    ),
    pytest.param(asked({}), "escalation[0].approvers", "no approver is named", id="nobody"),
    pytest.param(
        asked({"users": ["cto"], "required": 2}),
        "escalation[0].approvers.required",
        "greater than the number of users",
        id="too-few",
    ),
    pytest.param(
        asked({"groups": ["system:masters"]}),
        "escalation[0].approvers.groups",
        "domain system:",
        id="the-system",
    ),
    pytest.param(
        asked({"users": ["${inputs.who}"]}),
        "escalation[0].approvers.users[0]",
        "not evaluated",
        id="an-expression",
    ),
]


def found(raw: JsonObject) -> list[str]:
    return [str(one) for one in define(raw).problems]


@pytest.mark.parametrize(("node", "place", "says"), CASES)
def test_s763_what_cannot_be_escalated_is_refused(node: JsonObject, place: str, says: str) -> None:
    problems = found(spec(node))
    start = f"nodes.ok.approval.{place}:"
    assert any(text.startswith(start) and says in text for text in problems), problems


def test_s763_levels_that_can_be_asked_are_accepted() -> None:
    last = {"approvers": {"groups": ["board"], "required": 3}}
    definition = define(spec(asks(CTO, last)))
    assert not definition.problems
    assert not definition.warnings


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(
            spec(asks({"approvers": {"users": ["ann"]}, "timeout": "1h"})),
            "the same people are asked",
            id="the-same",
        ),
        pytest.param(spec(asks(CTO), deadline="1h"), "never asked", id="after-the-deadline"),
    ],
)
def test_s763_a_level_that_does_nothing_is_a_warning(raw: JsonObject, says: str) -> None:
    assert any(says in str(one) for one in define(raw).warnings), define(raw).warnings
    assert not found(raw), "it is accepted"


def test_s763_tool_calls_do_not_escalate() -> None:
    tools = [{"module": "m", "functions": ["send"], "requireApproval": ["send"]}]
    approval = {"approvers": {"users": ["ann"]}, "timeout": "1h", "onTimeout": "Escalate"}
    agent: JsonObject = {
        "model": {"provider": "p", "name": "m"},
        "prompt": "?",
        "tools": tools,
        "toolApproval": approval,
    }
    raw = spec({"name": "a", "agent": agent}, python("b"))
    problems = [str(one) for one in define(raw).problems]
    assert any("toolApproval.onTimeout" in text and "Deny" in text for text in problems), problems


def test_s761_timeouts_of_levels_are_not_in_the_fingerprint() -> None:
    def print_of(*levels: JsonObject) -> str:
        return define(spec(asks(*levels))).fingerprints["ok"]

    before = print_of(CTO)
    assert print_of({**CTO, "timeout": "9h"}) == before
    assert print_of({**CTO, "approvers": {"users": ["ceo"]}}) != before
