"""`${...}` where nothing evaluates it is refused; what looks like an expression is warned of."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import container, gate, python, spec

MODEL = {"provider": "p", "name": "m"}


def agent(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "agent": {"model": MODEL, "prompt": "Think.", **fields}}


def row(id: str, raw: Any, *expected: str) -> Any:
    return pytest.param(raw, expected, id=id)


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        row(
            "model", spec(agent(model=MODEL | {"name": "${inputs.m}"})), "nodes.a.agent.model.name"
        ),
        row(
            "provider",
            spec(agent(model=MODEL | {"provider": "${inputs.p}"})),
            "nodes.a.agent.model.provider",
        ),
        row(
            "model-of-defaults",
            spec(agent(), defaults={"agent": {"model": MODEL | {"name": "${inputs.m}"}}}),
            "defaults.agent.model.name",
        ),
        row(
            "instructions-of-defaults",
            spec(agent(), defaults={"agent": {"instructions": "${inputs.m}"}}),
            "defaults.agent.instructions",
        ),
        row(
            "groups",
            spec(gate("a", approvers={"groups": ["sre", "${inputs.team}"]})),
            "nodes.a.approval.approvers.groups[1]",
        ),
        row(
            "users",
            spec(gate("a", approvers={"users": ["${inputs.owner}"]})),
            "nodes.a.approval.approvers.users[0]",
        ),
        row(
            "secret",
            spec(
                container(
                    "a",
                    env=[
                        {
                            "name": "T",
                            "valueFrom": {"secretKeyRef": {"name": "${inputs.s}", "key": "k"}},
                        }
                    ],
                )
            ),
            "nodes.a.container.env[0].valueFrom.secretKeyRef.name",
        ),
        row(
            "tool-server",
            spec(agent(tools=[{"server": "${inputs.s}", "allow": ["x"]}])),
            "nodes.a.agent.tools[0].server",
        ),
        row(
            "key-of-a-fallback",
            spec(python("a", onFailure="Continue", fallbackOutput={"${inputs.x}": 1})),
            "nodes.a.fallbackOutput.${inputs.x}",
        ),
    ],
)
def test_refused(raw: Any, places: tuple[str, ...]) -> None:
    found = define({"inputs": {"m": "x"}, **raw}).problems
    assert tuple(problem.field for problem in found) == places
    assert "is not evaluated here; write the value itself" in found[0].message


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        row("source", spec(python("a", source='def run():\n    return "${x} {{ y }}"\n'))),
        row("schema", spec(python("a", outputSchema={"const": "${x} {{ y }}"}))),
        row("module", spec(python("a"), modules={"m": "x = '${x} {{ y }}'"})),
        row("shell", spec(container("a", command=["sh", "-c", "echo ${HOME} ${1}"]))),
        row("map-literal", spec(python("a", inputs={"x": "${{'n': 1}}"}))),
        row("stop-sequence", spec(agent(settings={"stopSequences": ["${"]}))),
        row("json-in-text", spec(agent(prompt='Answer {"a": {"b": 1}} and {{}}'))),
        row("inputs-are-data", spec(python("a"), inputs={"text": "${x}"})),
        row(
            "our-expression-in-a-command",
            spec(container("a", command=["echo", "${inputs.m}"])),
            "nodes.a.container.command[1]",
        ),
        row("jinja-in-a-prompt", spec(agent(prompt="Say {{ name }}")), "nodes.a.agent.prompt"),
        row(
            "argo-in-args",
            spec(container("a", args=["{{inputs.parameters.x}}"])),
            "nodes.a.container.args[0]",
        ),
        row(
            "argo-expression",
            spec(container("a", args=["{{=inputs.parameters.x}}"])),
            "nodes.a.container.args[0]",
        ),
        row(
            "helm-in-a-command",
            spec(container("a", command=["{{ .Values.x }}"])),
            "nodes.a.container.command[0]",
        ),
        row("in-inputs", spec(python("a"), inputs={"x": ["{{ y }}"]}), "inputs.x[0]"),
        row("in-outputs", spec(python("a"), outputs={"x": {"k": "{{ y }}"}}), "outputs.x.k"),
        row("in-groups", spec(gate("a", approvers={"groups": ["{{ y }}"]})), "nodes.a.approval"),
    ],
)
def test_warned(raw: Any, places: tuple[str, ...]) -> None:
    found = define(raw)
    assert found.problems == ()
    warned = [w for w in found.warnings if "no outputSchema" not in w.message]
    assert len(warned) == len(places), warned
    for warning, place in zip(warned, places, strict=True):
        assert warning.field.startswith(place)
        assert warning.severity == "warning"


def test_the_warning_shows_what_was_found_and_how_to_write_it() -> None:
    (warning,) = define(spec(agent(prompt="Say {{ name }}"))).warnings
    assert warning.message == (
        "{{ name }} is passed on as text; expressions are written ${...}, such as ${inputs.x} "
        "or ${nodes.a.output}"
    )


def test_two_pairs_of_braces() -> None:
    (problem,) = define(
        spec(python("a", inputs={"x": "${{ inputs.x }}"}), inputs={"x": 1})
    ).problems
    assert problem.message.endswith("expressions have one pair of braces: write ${inputs.x}")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"args": ["a", "b\0c"]}, "container.args[1]", id="args"),
        pytest.param({"args": ["${inputs.m}\0"]}, "container.args[0]", id="beside-an-expression"),
        pytest.param({"command": ["sh", "\0"]}, "container.command[1]", id="command"),
        pytest.param({"env": [{"name": "A", "value": "\0"}]}, "container.env[0].value", id="env"),
    ],
)
def test_a_nul_that_no_program_can_receive_is_refused_before_the_run(
    fields: dict[str, Any], place: str
) -> None:
    (problem,) = define(spec(container("a", **fields), inputs={"m": "x"})).problems
    assert problem.field == f"nodes.a.{place}"
    assert problem.message.startswith("contains a NUL character")
