"""The static check of templates, and of runs that refer to one (S100, S101, S110)."""

from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.compiler.templates import body_of, define_run, define_template, resolve
from waypost.ports.cluster import Obj
from waypost.protocol import ijson

from tests.support.builders import gate, python, spec

NUMBERS = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}, "m": {"type": "integer", "default": 3}},
}
TAKES = python("a", source="def run(n, m):\n    return n\n")
TAKES |= {"inputs": {"n": "${inputs.n}", "m": "${inputs.m}"}}
BODY = spec(TAKES, inputSchema=NUMBERS, deadline="1h", budget={"tokens": 100, "costUSD": "2.50"})


def run(**fields: Any) -> Obj:
    """The spec of a run of template `t`."""
    return {"templateRef": {"name": "t"}, **fields}


def test_a_run_is_checked_as_if_its_nodes_stood_in_it() -> None:
    definition = define_run(run(inputs={"n": 1}), body_of("t", BODY))
    assert definition.problems == ()
    own = define({**BODY, "inputs": {"n": 1}})
    assert definition.inputs == own.inputs == {"n": 1, "m": 3}
    assert definition.fingerprints == own.fingerprints
    assert definition.spec == own.spec


def test_suspend_and_description_of_a_template_do_not_change_a_run() -> None:
    body = body_of("t", {**BODY, "suspend": True, "description": "Counts."})
    assert body == body_of("t", BODY)
    assert resolve(run(suspend=False), body)["suspend"] is False


LOWERED = [
    pytest.param(run(deadline="30m"), "30m", {"tokens": 100, "costUSD": "2.50"}, id="deadline"),
    pytest.param(run(budget={"tokens": 5}), "1h", {"tokens": 5, "costUSD": "2.50"}, id="tokens"),
    pytest.param(
        run(budget={"costUSD": "2.5", "toolCalls": 7}),
        "1h",
        {"tokens": 100, "costUSD": "2.5", "toolCalls": 7},
        id="an-equal-cost-and-a-limit-that-the-template-has-not",
    ),
]


@pytest.mark.parametrize(("raw", "deadline", "budget"), LOWERED)
def test_a_run_can_lower_limits(raw: Obj, deadline: str, budget: Obj) -> None:
    body = body_of("t", BODY)
    resolved = resolve(raw, body)
    assert (resolved["deadline"], resolved["budget"]) == (deadline, budget)
    assert define_run({**raw, "inputs": {"n": 1}}, body).problems == ()


BESIDE = (
    "inputs, suspend, cancel, skipFinally, scheduledAt, rerun, ttlSecondsAfterFinished, budget and "
    "deadline"
)
REFUSED = [
    *(
        pytest.param(
            run(inputs={"n": 1}, **{field: value}),
            BODY,
            field,
            f"stands in the template; a run of a template has only {BESIDE}",
            id=f"{field}-beside-a-template",
        )
        for field, value in {
            "nodes": [python("b")],
            "outputs": {"o": 1},
            "defaults": {"timeout": "1m"},
            "parallelism": 2,
            "inputSchema": {},
        }.items()
    ),
    pytest.param(
        run(inputs={"n": 1}, deadline="2h"),
        BODY,
        "deadline",
        "2h is more than the 1h of template t; a run can only lower it",
        id="longer-deadline",
    ),
    pytest.param(
        run(inputs={"n": 1}, budget={"costUSD": "2.51"}),
        BODY,
        "budget.costUSD",
        "2.51 is more than the 2.50 of template t",
        id="higher-cost",
    ),
    pytest.param(run(), BODY, "inputs", "expected a property 'n'", id="input-missing"),
    pytest.param(run(inputs={"n": "x"}), BODY, "inputs.n", "integer", id="input-of-wrong-type"),
    pytest.param(run(inputs={"n": 1}, deadline="0s"), BODY, "deadline", "longer", id="zero"),
    pytest.param(
        run(inputs={"n": 1}),
        spec(python("a", dependsOn=["zzz"])),
        "templateRef",
        "template t: nodes.a.dependsOn: there is no node 'zzz'",
        id="problem-of-the-template",
    ),
    pytest.param(
        run(inputs={"n": 1}, rerun={"round": 2, "from": ["zzz"]}),
        BODY,
        "rerun.from",
        "there is no node 'zzz'",
        id="rerun-of-no-node",
    ),
    pytest.param(
        run(), {"nodes": "?"}, "templateRef", "template t: nodes", id="not-a-template-at-all"
    ),
    pytest.param(run(), None, "templateRef", "neither nodes nor", id="no-spec"),
]


@pytest.mark.parametrize(("raw", "template", "field", "says"), REFUSED)
def test_what_a_run_of_a_template_cannot_have(
    raw: Obj, template: Any, field: str, says: str
) -> None:
    problems = define_run(raw, body_of("t", template)).problems
    assert any(p.field == field and says in p.message for p in problems), problems


OPEN = [
    pytest.param(BODY, "", id="required-inputs-are-not-there-yet"),
    pytest.param(
        spec(python("a", inputs={"n": "${inputs.anything}"}, source="def run(n): pass\n")),
        "inputSchema: is not set, so the inputs of runs and the expressions that read them are "
        "not checked",
        id="no-input-schema",
    ),
    pytest.param(spec(python("a")), "", id="no-inputs"),
]


@pytest.mark.parametrize(("template", "warning"), OPEN)
def test_a_template_is_valid_without_inputs(template: Obj, warning: str) -> None:
    definition = define_template({**template, "description": "D.", "suspend": True})
    assert definition.problems == ()
    assert [str(w) for w in definition.warnings if w.field == "inputSchema"] == (
        [warning] if warning else []
    )


SAME = [
    pytest.param(spec(python("a", dependsOn=["b"])), id="unknown-node"),
    pytest.param(spec(python("a", inputs={"x": "${inputs.n +}"})), id="broken-expression"),
    pytest.param(
        spec(python("a"), gate("ok", approvers={"groups": ["${inputs.g}"]})), id="not-evaluated"
    ),
    pytest.param(
        spec(
            python("a", inputs={"x": "${inputs.zzz}"}),
            inputSchema={"type": "object", "properties": {"n": {"type": "integer"}}},
        ),
        id="unknown-input",
    ),
    pytest.param(spec(python("a", timeout="0s"), inputSchema={"type": "nope"}), id="schema"),
    pytest.param({"nodes": []}, id="no-nodes"),
    pytest.param({}, id="empty"),
]


@pytest.mark.parametrize("raw", SAME)
def test_a_template_is_refused_with_the_messages_of_a_run(raw: Obj) -> None:
    found = define_template(raw).problems
    assert found
    assert found == define(raw).problems


def test_a_value_that_is_not_i_json_is_a_problem_and_no_crash() -> None:
    raw = spec(python("a", inputs={"x": 2**60}))
    with pytest.raises(ijson.IJsonError):
        ijson.check(raw)
    assert define_template(raw).problems
    (problem,) = define_run(run(), body_of("t", raw)).problems
    assert problem.field == "templateRef"
