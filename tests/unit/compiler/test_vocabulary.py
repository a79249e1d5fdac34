"""What is said about an unknown field: the nearest known one, or our word for a foreign one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.api.crd.generate import object_schema
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.definition import define
from waypost.compiler.vocabulary import NOT_YET, OUR_FIELD, unknown_field

DOCS = Path(__file__).parents[3] / "docs"
BUDGET = ("tokens", "costUSD", "toolCalls")
NODE = ("name", "python", "dependsOn", "when", "retry")


def row(id: str, name: str, path: str, known: tuple[str, ...], says: str) -> Any:
    return pytest.param(name, path, known, says, id=id)


@pytest.mark.parametrize(
    ("name", "path", "known", "says"),
    [
        row(
            "misspelt",
            "dependOn",
            "spec.nodes[0]",
            NODE,
            "unknown field dependOn in nodes[0]; did you mean dependsOn? (see docs/concepts.md)",
        ),
        row("other-case", "costusd", "spec.budget", BUDGET, "; did you mean costUSD?"),
        row(
            "a-foreign-word",
            "wallTime",
            "spec.budget",
            BUDGET,
            "unknown field wallTime in budget; did you mean deadline of the run or of a node? "
            "(see docs/agent-nodes.md)",
        ),
        row("argo", "depends", "spec.nodes[3]", NODE, "; did you mean dependsOn?"),
        row("actions", "if", "nodes[3]", NODE, "; did you mean when?"),
        row(
            "spelt-with-hyphens",
            "continue-on-error",
            "spec.nodes[3]",
            NODE,
            "; did you mean onFailure?",
        ),
        row(
            "spelt-in-capitals",
            "Catch",
            "spec.nodes[3]",
            NODE,
            "; did you mean onFailure of a node, ",
        ),
        row(
            "next",
            "Next",
            "spec.nodes[3]",
            NODE,
            "; did you mean dependsOn of the node that follows?",
        ),
        row(
            "entry",
            "StartAt",
            "spec",
            NODE,
            "; it is not needed: nodes start when what they depend on ",
        ),
        row(
            "a-pause",
            "suspend",
            "spec.nodes[3]",
            NODE,
            "; did you mean approval of a node, or wait ",
        ),
        row(
            "kind-as-a-type",
            "type",
            "spec.nodes[3]",
            NODE,
            "; did you mean the kind of the node as a ",
        ),
        row(
            "a-word-in-a-loop",
            "while",
            "spec.nodes[3].repeat",
            ("until",),
            "; did you mean until, ",
        ),
        row("times", "maxIterations", "nodes[3].repeat", ("max",), "; did you mean max?"),
        row("items-of", "in", "nodes[3].forEach", ("items",), "; did you mean items?"),
        row("at-once", "parallelism", "nodes[3].forEach", (), "; did you mean maxParallel?"),
        row("slots", "max", "nodes[3].concurrency", ("limit",), "; did you mean limit?"),
        row("group", "group", "spec.concurrency", ("key",), "; did you mean key?"),
        row(
            "call-by-name",
            "name",
            "nodes[3].workflow",
            ("templateRef", "template"),
            "; did you mean templateRef: {name: ...}, or template with the name of one in ",
        ),
        row("race", "candidates", "nodes[3].first", ("of",), "; did you mean of?"),
        row("taken", "name", "nodes[3].artifacts.in[0]", ("from",), "; did you mean from?"),
        row(
            "undone-by-a-model",
            "agent",
            "nodes[3].compensate",
            ("python",),
            "; what undoes a node is one of python, container, http and workflow (see docs/",
        ),
        row(
            "a-clean-up-is-not-undone",
            "compensate",
            "finally[0]",
            NODE,
            "; a clean-up is not undone: leave it out",
        ),
        row("maps", "withItems", "spec.nodes[3]", NODE, "; did you mean forEach of a node?"),
        row(
            "of-another-resource",
            "schedule",
            "spec.nodes[3]",
            NODE,
            "; an AgentWorkflowSchedule starts runs of a template",
        ),
        row(
            "nodes-below-a-modifier",
            "nodes",
            "spec.nodes[3].forEach",
            ("items",),
            "; forEach and repeat are for one node, and a node does one thing: make these nodes a "
            "template, and call it with workflow.template or workflow.templateRef (see "
            "docs/sub-workflows.md)",
        ),
        row("steps-below-a-loop", "steps", "nodes[0].repeat", ("max",), "make these nodes a templ"),
        row("steps-in-a-node", "steps", "nodes[0]", NODE, "make these nodes a template, and call"),
        row("steps-of-a-run", "steps", "spec", ("nodes",), "; did you mean nodes of the run?"),
        row("nothing-near", "xyz", "spec.budget", BUDGET, "; known fields: costUSD, tokens, "),
        row(
            "of-a-kind",
            "command",
            "spec.nodes[0]",
            NODE,
            "did you mean container.command of",
        ),
        row(
            "of-several-kinds",
            "image",
            "spec.nodes[0]",
            NODE,
            "did you mean python.image of a node, container.image of a node or agent.image of a",
        ),
        row("of-a-node", "onFailure", "spec", ("nodes",), "did you mean onFailure of a node?"),
        row(
            "of-a-node-and-of-defaults",
            "retry",
            "spec",
            ("nodes", "rerun"),
            "did you mean defaults.retry of the run or retry of a node?",
        ),
        row(
            "of-the-run",
            "parallelism",
            "spec.nodes[0]",
            NODE,
            "did you mean parallelism of the",
        ),
        row("of-isolation", "serviceAccountName", "spec", ("nodes",), "did you mean isolation."),
        row("of-another-kind", "url", "spec.nodes[0].container", ("image",), "http.url of a node?"),
        row("github", "run", "spec.nodes[0]", NODE, "python.source of a node, or"),
        row("step-functions", "catch", "spec.nodes[0]", NODE, "did you mean onFailure"),
        row("fan-out", "for_each", "spec.nodes[0]", NODE, "; did you mean forEach of a node?"),
        row("cases", "switch", "spec.nodes[0]", NODE, "did you mean when of each node?"),
        row("triggered", "triggers", "spec", ("nodes",), "lists it in spec.triggers"),
        row("fail-fast", "failFast", "spec.nodes[0]", NODE, "onFailure of a node, or tolerate of"),
        row("page-of-loops", "x", "spec.nodes[0].repeat", NODE, "(see docs/loops.md)"),
        row("page-of-first", "x", "spec.nodes[0].first", NODE, "(see docs/first.md)"),
        row("page-of-the-innermost", "x", "spec.nodes[0].http.auth", NODE, "docs/http-nodes.md"),
    ],
)
def test_message(name: str, path: str, known: tuple[str, ...], says: str) -> None:
    assert says in unknown_field(name, path=path, known=known)


def test_places_of_runs_are_not_named_for_other_kinds() -> None:
    text = unknown_field("image", path="spec", known=["type"], kind="ModelProvider")
    assert "container.image" not in text


def test_page_of_a_kind() -> None:
    text = unknown_field("x", path="spec", known=["type"], kind="ModelProvider")
    assert text == "unknown field x in the spec; known fields: type (see docs/providers.md)"


def fields(schema: dict[str, Any]) -> Iterator[str]:
    """The names of all fields below `schema`."""
    for name, below in schema.get("properties", {}).items():
        yield name
        yield from fields(below)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key])


def fields_of(kind: str) -> set[str]:
    (resource,) = (one for one in RESOURCES if one.kind == kind)
    return set(fields(object_schema(resource, with_status=False)["properties"]["spec"]))


RUN_FIELDS = fields_of("AgentWorkflow")


@pytest.mark.parametrize(("word", "ours"), OUR_FIELD.items(), ids=OUR_FIELD)
def test_our_word_is_a_field(word: str, ours: str) -> None:
    there = fields_of(ours.rpartition(" ")[2]) if ours.endswith("Schedule") else RUN_FIELDS
    assert set(ours.partition(" ")[0].split(".")) <= there


@pytest.mark.parametrize("word", NOT_YET)
def test_what_is_there_is_not_called_missing(word: str) -> None:
    assert word not in RUN_FIELDS, "it is a field now: move it to OUR_FIELD or remove it"


def test_pages_exist() -> None:
    for resource in RESOURCES:
        for path in ("spec", "spec.nodes[0].agent", "spec.nodes[0].retry", "spec.rerun"):
            text = unknown_field("x", path=path, known=(), kind=resource.kind)
            page = text.rpartition("(see docs/")[2].removesuffix(")")
            assert (DOCS / page).is_file()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param({"": None}, "spec", id="of-the-spec"),
        pytest.param({"nodes": [{"name": "a", "": 1}]}, "nodes[0]", id="of-a-node"),
    ],
)
def test_an_unknown_field_without_a_name_has_a_place(raw: dict[str, Any], field: str) -> None:
    problem = define(raw).problems[0]
    assert problem.field == field
    assert problem.message.startswith(
        f'unknown field "" in {"the spec" if field == "spec" else field};'
    )
