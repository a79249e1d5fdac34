"""Inputs and outputs of `workflow` nodes are checked against their templates (S346 to S349)."""

from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.compiler.templates import body_of, define_own, define_run, define_template
from waypost.ports.cluster import Obj

from tests.support.builders import python, spec
from tests.support.children import calls, calls_local

REVIEW: Obj = {
    "inputSchema": {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "integer"}, "m": {"type": "string", "default": "x"}},
    },
    "outputSchema": {
        "type": "object",
        "required": ["score"],
        "properties": {"score": {"type": "integer"}, "note": {"type": "string"}},
    },
    "nodes": [python("a")],
    "outputs": {"score": 1},
}
KNOWN = {"review": REVIEW}


def reads(field: str) -> Obj:
    """A node that reads a field of the output of `call`."""
    return python("use", inputs={"x": f"${{nodes.call.output.{field}}}"})


def problems(raw: Obj, templates: Any = None) -> list[tuple[str, str]]:
    """(field, message) of each problem and warning, with these templates known."""
    found = define(raw, templates=KNOWN if templates is None else templates)
    return [(one.field, one.message) for one in (*found.problems, *found.warnings)]


TAKES = "inputSchema of template review"
TABLE = [
    pytest.param(
        spec(
            calls("call", inputs={"n": "${item}"}, forEach={"items": "${[1, 2]}"}),
            python("use", inputs={"x": "${nodes.call.output.map(one, one.score)}"}),
        ),
        [],
        id="S416-items-fit",
    ),
    pytest.param(
        spec(
            calls("call", inputs={"n": "${item}"}, forEach={"items": "${['a', 'b']}"}),
        ),
        [("nodes.call.inputs.n", f"{TAKES} takes integer, found 'a' (string) or 'b' (string)")],
        id="S416-items-of-another-type",
    ),
    pytest.param(
        spec(
            calls("call", inputs={"n": "${item}"}, forEach={"items": "${[1, 2]}"}),
            python("use", inputs={"x": "${nodes.call.output.map(one, one.scor)}"}),
        ),
        [
            (
                "nodes.use.inputs.x",
                "nodes.call.output[] has no 'scor': it has score, note; did you mean 'score'?",
            )
        ],
        id="S416-output-of-an-item",
    ),
    pytest.param(
        spec(
            calls("call", inputs={"n": 1}, forEach={"items": "${[1, 2]}", "tolerate": 1}),
            python("use", inputs={"x": "${nodes.call.output.map(one, one.score)}"}),
        ),
        [
            (
                "nodes.use.inputs.x",
                "elements of nodes.call.output may be null: write "
                "nodes.call.output.filter(r, r != null)",
            )
        ],
        id="S416-tolerated-items-may-be-null",
    ),
    pytest.param(spec(calls("call", inputs={"n": 1}), reads("score")), [], id="S346-fits"),
    pytest.param(
        spec(calls("call", inputs={"n": "${inputs.n}"}), inputs={"n": 1}),
        [],
        id="S346-a-known-input-fits",
    ),
    pytest.param(
        spec(calls("call", inputs={"n": "one"})),
        [("nodes.call.inputs.n", f"{TAKES} takes integer, found 'one' (string)")],
        id="S346-wrong-type",
    ),
    pytest.param(
        spec(calls("call")),
        [
            (
                "nodes.call.inputs",
                f"{TAKES} takes a property 'n', found an object without 'n' (it has none)",
            )
        ],
        id="S346-missing",
    ),
    pytest.param(
        spec(calls("call", inputs={"n": "${inputs.n}"}), inputs={"n": "one"}),
        [("nodes.call.inputs.n", f"{TAKES} expects integer, found 'one' (string)")],
        id="S346-a-known-input-does-not-fit",
    ),
    pytest.param(
        spec(
            python("first", outputSchema={"type": "string"}),
            calls("call", inputs={"n": "${nodes.first.output}"}),
        ),
        [("nodes.call.inputs.n", f"{TAKES} takes integer, found string")],
        id="S346-an-output-of-another-node",
    ),
    pytest.param(
        spec(calls("call", inputs={"n": 1}), reads("scor")),
        [
            (
                "nodes.use.inputs.x",
                "nodes.call.output has no 'scor': it has score, note; did you mean 'score'?",
            )
        ],
        id="S347-unknown-output",
    ),
    pytest.param(
        spec(
            calls(
                "call",
                inputs={"n": 1},
                outputSchema={"type": "object", "properties": {"score": {"type": "string"}}},
            )
        ),
        [
            (
                "nodes.call.outputSchema.score",
                "template review: outputSchema of the node takes string, found integer; convert it "
                "with string(...)",
            )
        ],
        id="S347-the-node-declares-another-type",
    ),
]


@pytest.mark.parametrize(("raw", "expected"), TABLE)
def test_a_call_of_a_template(raw: Obj, expected: list[tuple[str, str]]) -> None:
    assert problems(raw) == expected
    assert define(raw).problems == (), "a template that is not known is not checked"


@pytest.mark.parametrize(("raw", "expected"), TABLE)
def test_a_call_of_a_local_template(raw: Obj, expected: list[tuple[str, str]]) -> None:
    (node,) = [one for one in raw["nodes"] if "workflow" in one]
    fields = {key: value for key, value in node.items() if key not in ("name", "workflow")}
    nodes = [calls_local("call", "review", **fields) if n is node else n for n in raw["nodes"]]
    local = {"name": "review", **REVIEW}
    found = problems({**raw, "nodes": nodes, "templates": [local]}, {})
    assert found == [
        (field, message.replace("template review", "local template review"))
        for field, message in expected
    ]


def test_s347_without_output_schema_the_names_of_the_outputs_are_known() -> None:
    body = {key: value for key, value in REVIEW.items() if key != "outputSchema"}
    ((field, message),) = problems(
        spec(calls("call", inputs={"n": 1}), reads("scor")), {"review": body}
    )
    assert field == "nodes.use.inputs.x"
    assert "it has score; did you mean 'score'?" in message


def test_s346_named_schemas_of_the_template_are_meant() -> None:
    """Not those of the run, which may have the same names."""
    template = {
        **REVIEW,
        "schemas": {"N": {"type": "integer"}},
        "inputSchema": {"type": "object", "properties": {"n": {"$ref": "#/schemas/N"}}},
    }
    raw = spec(calls("call", inputs={"n": "one"}), schemas={"N": {"type": "string"}})
    ((field, _),) = problems(raw, {"review": template})
    assert field == "nodes.call.inputs.n"


@pytest.mark.parametrize(
    "template",
    [
        pytest.param({}, id="empty"),
        pytest.param({**REVIEW, "inputSchema": {"type": 3}}, id="no-schema"),
        pytest.param({**REVIEW, "inputSchema": {"$ref": "#/schemas/None"}}, id="unknown-schema"),
        pytest.param({"nodes": 3, "outputs": [], "inputSchema": "x"}, id="no-template-at-all"),
    ],
)
def test_a_template_that_is_not_valid_is_not_compared(template: Obj) -> None:
    assert problems(spec(calls("call", inputs={"n": "one"})), {"review": template}) == []


def calling(*names: str) -> Obj:
    """A template whose nodes call others."""
    return spec(*(calls(f"c{at}", name) for at, name in enumerate(names)))


PLACE = "nodes.c0.workflow.templateRef.name"


@pytest.mark.parametrize(
    ("templates", "says"),
    [
        pytest.param(
            {"a": calling("b"), "b": calling("a")},
            "template a calls itself: a -> b -> a; end the recursion",
            id="S348-two",
        ),
        pytest.param(
            {"a": calling("b"), "b": calling("b")},
            "template b calls itself: b -> b; end the recursion",
            id="S348-below",
        ),
        pytest.param(
            {
                "a": spec(
                    calls_local("x", "part"),
                    templates=[{"name": "part", "nodes": [calls("y", "a")]}],
                )
            },
            "template a calls itself: a -> a; end the recursion",
            id="S348-through-a-local-template",
        ),
        pytest.param(
            {name: calling(chr(ord(name) + 1)) for name in "abcd"} | {"e": spec(python("x"))},
            "a tree has at most 5 levels of runs, this would be one more: "
            "(nodes in the run) -> a -> b -> c -> d -> e; move nodes",
            id="S348-too-deep",
        ),
    ],
)
def test_recursion(templates: Any, says: str) -> None:
    (problem,) = define_own(calling("a"), templates).problems
    assert problem.field == PLACE
    assert says in problem.message


def test_s348_recursion_of_a_template_and_of_its_runs() -> None:
    templates = {"a": calling("b"), "b": calling("a")}
    (problem,) = define_template(templates["a"], name="a", templates=templates).problems
    assert (problem.field, problem.message.partition(";")[0]) == (
        PLACE,
        "template a calls itself: a -> b -> a",
    )
    run = {"templateRef": {"name": "a"}}
    (problem,) = define_run(run, body_of("a", templates["a"]), templates).problems
    assert "template a calls itself: a -> b -> a" in problem.message


def test_s348_many_templates_that_call_all_others_are_checked_once_each() -> None:
    names = [f"t{at}" for at in range(40)]
    templates = {
        name: calling(*names[at + 1 : at + 4]) if at < 3 else spec(python("x"))
        for at, name in enumerate(names)
    }
    assert define_own(calling(*names[:3]), templates).problems == ()
