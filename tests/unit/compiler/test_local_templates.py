"""The static check of local templates, and what a child run takes from one (S340 to S345)."""

from typing import Any

import pytest
from waypost.compiler.calls import body_of_local
from waypost.compiler.definition import define
from waypost.compiler.rules.local_templates import MAX_BYTES
from waypost.compiler.templates import body_of, define_run, define_template
from waypost.ports.cluster import Obj

from tests.support.builders import container, python, spec
from tests.support.children import calls, calls_local

LEAF: Obj = {"name": "leaf", "nodes": [python("a")], "outputs": {"o": "${nodes.a.output}"}}


def local(name: str, *nodes: Obj, **fields: Any) -> Obj:
    """A local template."""
    return {"name": name, "nodes": list(nodes), **fields}


def chain(length: int) -> list[Obj]:
    """Local templates t1, t2, ... that each call the next one."""
    return [
        local(f"t{n}", calls_local("c", f"t{n + 1}") if n < length else python("a"))
        for n in range(1, length + 1)
    ]


def with_templates(*templates: Obj, node: Obj | None = None, **fields: Any) -> Obj:
    """A spec whose node calls the first of these local templates."""
    first = node or calls_local("call", templates[0]["name"])
    return spec(first, templates=list(templates), **fields)


ACCEPTED = [
    pytest.param(with_templates(LEAF), id="S340-one"),
    pytest.param(with_templates(*chain(4)), id="S343-four-levels-below-the-run"),
    pytest.param(
        with_templates(local("leaf", python("a", outputSchema={"$ref": "#/schemas/T"})))
        | {"schemas": {"T": {"type": "string"}}},
        id="S341-schemas-are-shared",
    ),
    pytest.param(
        with_templates(local("leaf", container("a", retry={"limit": 1})))
        | {"defaults": {"retry": {"exitCodes": {"retry": [75]}}}},
        id="S341-defaults-for-nodes-that-only-a-local-template-has",
    ),
]


@pytest.mark.parametrize("raw", ACCEPTED)
def test_accepted(raw: Obj) -> None:
    definition = define(raw)
    assert definition.problems == ()
    assert definition.warnings == ()
    assert define_template({k: v for k, v in raw.items() if k != "inputs"}).problems == ()


REFUSED = [
    pytest.param(
        with_templates(LEAF, node=calls_local("call", "lef")),
        "nodes.call.workflow.template",
        "there is no local template 'lef'; did you mean 'leaf'?",
        id="S340-unknown-name",
    ),
    pytest.param(
        spec(calls_local("call", "leaf")),
        "nodes.call.workflow.template",
        "there is no local template 'leaf'; add it to templates, or name an AgentWorkflowTemplate",
        id="S340-no-templates",
    ),
    pytest.param(
        with_templates(
            LEAF,
            node={"name": "call", "workflow": {"template": "leaf", "templateRef": {"name": "x"}}},
        ),
        "nodes.call.workflow",
        "expected exactly one of template, templateRef",
        id="S340-both",
    ),
    pytest.param(
        with_templates(LEAF, node={"name": "call", "workflow": {}}),
        "nodes.call.workflow",
        "expected exactly one of template, templateRef",
        id="S340-neither",
    ),
    pytest.param(
        with_templates(LEAF, LEAF),
        "templates.leaf",
        "two templates have this name",
        id="S340-twice",
    ),
    pytest.param(
        with_templates(local("leaf", python("a", tmeout="1m"))),
        "templates.leaf.nodes[0].tmeout",
        "did you mean timeout?",
        id="S342-unknown-field",
    ),
    pytest.param(
        with_templates(local("leaf", {**python("a"), "wait": {"duration": "1m"}})),
        "templates.leaf.nodes[0]",
        "node a has the kinds python, wait; keep one of them",
        id="S342-a-rule-of-the-api-server",
    ),
    pytest.param(
        with_templates(local("leaf", python("a", timeout="10 minutes"))),
        "templates.leaf.nodes[0].timeout",
        "10 minutes is not a duration",
        id="S342-in-the-words-of-the-api-server",
    ),
    pytest.param(
        with_templates(local("leaf", python("a"), outputs={"o": "${nodes.b.output}"})),
        "templates.leaf.outputs.o",
        "there is no node 'b'; nodes: a",
        id="S342-reference",
    ),
    pytest.param(
        with_templates(
            local(
                "leaf",
                python("a", outputSchema={"type": "object", "properties": {"n": {}}}),
                python("b", inputs={"n": "${nodes.a.output.m}"}),
            )
        ),
        "templates.leaf.nodes.b.inputs.n",
        "m",
        id="S342-types",
    ),
    pytest.param(
        with_templates(local("leaf", calls_local("c", "leaf"))),
        "templates.leaf",
        "template leaf calls itself: leaf -> leaf; end the recursion",
        id="S343-itself",
    ),
    pytest.param(
        with_templates(
            local("a", calls_local("c", "b")), local("b", python("x"), calls_local("c", "a"))
        ),
        "templates.b",
        "template a calls itself: a -> b -> a; end the recursion",
        id="S343-through-another",
    ),
    pytest.param(
        with_templates(*chain(5)),
        "templates.t1",
        "a tree has at most 5 levels of runs, and the one that calls t1 -> t2 -> t3 -> t4 -> t5",
        id="S343-too-deep",
    ),
    pytest.param(
        with_templates(
            local("leaf", python("a", source="x" * 60_000)),
            *(local(f"t{n}", python("a", source="x" * 60_000)) for n in range(4)),
        ),
        "templates",
        f"the limit is {MAX_BYTES}; move some of them to an AgentWorkflowTemplate each",
        id="S342-too-large",
    ),
]


@pytest.mark.parametrize(("raw", "field", "says"), REFUSED)
def test_refused(raw: Obj, field: str, says: str) -> None:
    (problem,) = define(raw).problems
    assert problem.field == field
    assert says in problem.message
    (same,) = define_template({k: v for k, v in raw.items() if k != "inputs"}).problems
    assert same == problem, "a template gets the same messages"


def test_s340_a_template_that_no_node_calls_is_a_warning() -> None:
    (warning,) = define(with_templates(LEAF, local("idle", python("a")))).warnings
    assert warning.field == "templates.idle"
    assert "no node calls this template" in warning.message


def test_s341_a_child_run_takes_what_it_needs() -> None:
    fields = with_templates(
        local("a", calls_local("c", "b"), inputSchema={}), local("b", python("x")), LEAF
    )
    fields |= {"schemas": {"T": {}}, "modules": {"m": "X = 1"}, "budget": {"tokens": 1}}
    body = body_of_local(fields, "a")
    assert body == {
        "schemas": {"T": {}},
        "modules": {"m": "X = 1"},
        "inputSchema": {},
        "nodes": [calls_local("c", "b")],
        "templates": [local("b", python("x"))],
    }
    assert body_of_local(fields, "none") is None


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"templates": 3}, id="no-list"),
        pytest.param({"templates": [3, {"name": "a", "nodes": 3}]}, id="nodes-no-list"),
        pytest.param({"templates": [{"name": "a", "nodes": [{"workflow": 3}]}]}, id="no-block"),
    ],
)
def test_any_form_is_read(fields: Obj) -> None:
    body_of_local(fields, "a")


@pytest.mark.parametrize(
    ("change", "changes"),
    [
        pytest.param({"templates": [{**LEAF, "outputs": {}}]}, True, id="its-content"),
        pytest.param({"modules": {"m": "X = 2"}}, True, id="what-it-shares"),
        pytest.param({"templates": [{**LEAF, "parallelism": 2}]}, False, id="how-it-runs"),
        pytest.param({"parallelism": 3}, False, id="something-else"),
    ],
)
def test_s344_a_changed_local_template_changes_the_node(change: Obj, *, changes: bool) -> None:
    raw = with_templates(LEAF)
    same = define(raw).fingerprints == define({**raw, **change}).fingerprints
    assert same is not changes


def test_s209_a_local_template_cannot_call_the_template_around_it() -> None:
    raw = with_templates(local("leaf", calls("again", "review")))
    (problem,) = define_template(raw, name="review").problems
    assert problem.field == "templates.leaf.nodes.again.workflow.templateRef.name"
    assert "review -> review" in problem.message
    (problem,) = define_run({"templateRef": {"name": "review"}}, body_of("review", raw)).problems
    assert "template review calls itself" in problem.message
