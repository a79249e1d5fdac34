"""Which approvals of tool calls a spec can ask for."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import agent, python, spec
from tests.support.gated import gated_agent

APPROVAL = {"approvers": {"users": ["ann"]}}


def tools(*gated: str, **fields: Any) -> list[Any]:
    return [
        {"module": "m", "functions": ["look", "send"], "requireApproval": list(gated), **fields}
    ]


CASES = [
    pytest.param(
        agent("a", tools=tools("sent"), toolApproval=APPROVAL),
        "nodes.a.agent.tools[0].requireApproval",
        "'sent' is not in functions",
        id="unknown-tool",
    ),
    pytest.param(
        agent("a", tools=tools("send")),
        "nodes.a.agent.toolApproval",
        "requireApproval needs people",
        id="nobody-to-ask",
    ),
    pytest.param(
        agent("a", toolApproval=APPROVAL),
        "nodes.a.agent.toolApproval",
        "this has no effect",
        id="nothing-to-ask",
    ),
]


@pytest.mark.parametrize(("node", "place", "says"), CASES)
def test_s540_what_cannot_be_asked_is_refused(node: Any, place: str, says: str) -> None:
    found = [str(problem) for problem in define(spec(node)).problems]
    assert any(text.startswith(f"{place}:") and says in text for text in found), found


def test_s540_a_clean_up_asks_nobody() -> None:
    made = spec(python("a"), **{"finally": [gated_agent("b")]})
    found = [str(problem) for problem in define(made).problems]
    assert any("requireApproval is not allowed in finally" in text for text in found), found


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"toolApproval": {"approvers": {"users": ["bob"]}}}, True, id="who-is-asked"),
        pytest.param({"tools": tools("look", "send")}, False, id="what-is-asked"),
    ],
)
def test_s547_who_is_asked_does_not_change_the_work(change: Any, same: bool) -> None:
    plain = {"tools": tools("send"), "toolApproval": APPROVAL}
    prints = [
        define(spec(agent("a", **fields))).fingerprints["a"]
        for fields in (plain, {**plain, **change})
    ]
    assert (prints[0] == prints[1]) is same


def test_s540_an_asterisk_names_all_tools_of_an_entry() -> None:
    definition = define(spec(agent("a", tools=tools("*"), toolApproval=APPROVAL)))
    assert definition.problems == ()
    assert definition.spec is not None
    node = definition.spec.nodes[0]
    assert node.agent is not None
    assert [entry.gated for entry in node.agent.tools or []] == [["look", "send"]]
