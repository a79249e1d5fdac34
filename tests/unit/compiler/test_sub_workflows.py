"""What the static check says about `workflow` nodes."""

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.compiler.templates import define_template

from tests.support.builders import python, spec

CALL: JsonObject = {"name": "call", "workflow": {"templateRef": {"name": "review"}}}

LOOP: JsonObject = {"until": "${self.output.don}", "max": 2}
DONE: JsonObject = {"type": "object", "properties": {"done": {"type": "boolean"}}}


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        pytest.param(
            spec({**CALL, "repeat": LOOP, "outputSchema": DONE}),
            "nodes.call.repeat.until",
            "don",
            id="S433-until-has-the-type-of-the-outputs",
        ),
        pytest.param(
            spec({**CALL, "isolation": {"tmp": "1Mi"}}),
            "nodes.call.isolation",
            "is only for nodes with a pod",
            id="S201-isolation",
        ),
        pytest.param(
            spec({**CALL, "workflow": {"templateRef": {"name": "${inputs.x}"}}}),
            "nodes[0].workflow.templateRef.name",
            "expected a text that matches",
            id="a-name-is-fixed",
        ),
        pytest.param(
            spec(
                {
                    **CALL,
                    "outputSchema": {"type": "object", "properties": {"n": {"type": "string"}}},
                },
                python("use", inputs={"n": "${nodes.call.output.m}"}),
            ),
            "nodes.use.inputs.n",
            "m",
            id="S20-output",
        ),
    ],
)
def test_refused(raw: JsonObject, field: str, says: str) -> None:
    (problem,) = define(raw).problems
    assert field in problem.field
    assert says in str(problem)


def test_a_template_that_names_itself_is_refused() -> None:
    """S209."""
    (problem,) = define_template(spec(CALL), name="review").problems
    assert problem.field == "nodes.call.workflow.templateRef.name"
    assert "review -> review" in problem.message
    assert not define_template(spec(CALL), name="other").problems


def test_another_template_is_another_definition() -> None:
    changed = spec({**CALL, "workflow": {"templateRef": {"name": "other"}}})
    assert define(spec(CALL)).fingerprints != define(changed).fingerprints
