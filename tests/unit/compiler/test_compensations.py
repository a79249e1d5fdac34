"""The static check of `compensate`: kinds, references, and the types of `self`."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import gate, python, spec, wait

UNDO: JsonObject = {"python": {"source": "def run(**inputs): ..."}}
BOOKING: JsonObject = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}},
}


TEMPLATE: JsonObject = {
    "name": "undo",
    "inputSchema": {**BOOKING, "additionalProperties": False},
    "nodes": [python("a")],
}


def undone(
    name: str = "book", *, inputs: Any = None, block: Any = None, **fields: Any
) -> JsonObject:
    block = {**(block or UNDO), **({"inputs": inputs} if inputs else {})}
    return python(name, compensate=block, **fields)


def mapped(inputs: Any, **for_each: Any) -> JsonObject:
    """A map over rooms, whose compensation has these inputs."""
    rooms = {"type": "object", "properties": {"list": {"type": "array", "items": BOOKING}}}
    node = undone(
        inputs=inputs,
        forEach={"items": "${inputs.list}", **for_each},
        inputs_={"room": "${item.id}"},
        outputSchema=BOOKING,
    )
    return spec(node, inputSchema={**rooms, "required": ["list"]}, inputs={"list": []})


def looped(inputs: JsonObject) -> JsonObject:
    """A loop, and its compensation with these inputs."""
    block = {**UNDO, "inputs": inputs}
    loop = {"until": "${self.output.id == 'x'}", "max": 2}
    return spec(python("book", repeat=loop, compensate=block, outputSchema=BOOKING))


def test_s617_a_compensation_of_a_loop_has_the_types_of_one_iteration() -> None:
    given = {"id": "${self.output.id}", "at": "${index + 1}", "was": "${self.inputs}"}
    assert not define(looped(given)).problems


@pytest.mark.parametrize(
    ("raw", "place", "says"),
    [
        pytest.param(
            spec({**wait("pause"), "compensate": UNDO}),
            "nodes.pause.compensate",
            "wait, only with python, container, agent, http, workflow; undo what it does",
            id="S282-wait",
        ),
        pytest.param(
            spec({**gate("ask"), "compensate": UNDO}),
            "nodes.ask.compensate",
            "cannot be used with approval",
            id="S282-approval",
        ),
        pytest.param(
            looped({"x": "${previous.?output.orValue(0)}"}),
            "nodes.book.compensate.inputs.x",
            "previous does not exist in a compensation; use self",
            id="S617-previous",
        ),
        pytest.param(
            looped({"x": "${item}"}),
            "nodes.book.compensate.inputs.x",
            "item exists only in a node with forEach",
            id="S617-item",
        ),
        pytest.param(
            looped({"x": "${self.output.none}"}),
            "nodes.book.compensate.inputs.x",
            "none",
            id="S617-output-of-one-iteration",
        ),
        pytest.param(
            mapped({"x": "${item.other}"}),
            "nodes.book.compensate.inputs.x",
            "other",
            id="S505-item",
        ),
        pytest.param(
            mapped({"x": "${self.output.none}"}),
            "nodes.book.compensate.inputs.x",
            "none",
            id="S505-output-of-one-item",
        ),
        pytest.param(
            mapped({"x": "${index.size()}"}),
            "nodes.book.compensate.inputs.x",
            "size",
            id="S505-index",
        ),
        pytest.param(
            mapped({"x": "${self.output.id}"}, collect="None"),
            "nodes.book.compensate.inputs.x",
            "forEach.collect: None keeps no outputs of items",
            id="S505-no-outputs",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${item}"})),
            "nodes.book.compensate.inputs.x",
            "item exists only in a node with forEach",
            id="S505-no-map",
        ),
        pytest.param(
            spec(python("a", compensate={})),
            "nodes.a.compensate",
            "expected exactly one of python, container, http, workflow",
            id="S282-no-kind",
        ),
        pytest.param(
            spec(python("a"), **{"finally": [undone("clean")]}),
            "finally.clean.compensate",
            "a node of finally is never undone",
            id="S282-finally",
        ),
        pytest.param(
            spec(*[undone(f"n{i}") for i in range(101)]),
            "nodes",
            "the run has 202 nodes, those in finally and compensations included",
            id="S282-too-many",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${nodes.later.output}"}), python("later", after=["book"])),
            "nodes.book.compensate.inputs.x",
            "node later does not come before book, so it may be undone already",
            id="S273-later",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${nodes.other.phase}"}), python("other")),
            "nodes.book.compensate.inputs.x",
            "node other does not come before book",
            id="S273-beside",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${nodes.book.output}"})),
            "nodes.book.compensate.inputs.x",
            "for its output use self.output",
            id="S273-itself",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${nodes.none.output}"})),
            "nodes.book.compensate.inputs.x",
            "there is no node 'none'; nodes: book",
            id="S273-unknown",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${self.output.name}"}, outputSchema=BOOKING)),
            "nodes.book.compensate.inputs.x",
            "name",
            id="S274-path",
        ),
        pytest.param(
            spec(undone(inputs={"x": "${self.inputs.other}"}, inputs_={"day": 1})),
            "nodes.book.compensate.inputs.x",
            "other",
            id="S274-inputs",
        ),
        pytest.param(
            spec(python("a", inputs={"x": "${self.output}"})),
            "nodes.a.inputs.x",
            "self is not available here",
            id="S273-of-other-nodes",
        ),
        pytest.param(
            spec(python("a", compensate={"python": {"source": "def go(): ..."}})),
            "nodes.a.compensate.python.source",
            "run",
            id="S282-source",
        ),
        pytest.param(
            spec(python("a", compensate={"container": {"image": "${inputs.x}"}})),
            "nodes.a.compensate.container.image",
            "is not evaluated here",
            id="S282-unevaluated",
        ),
        pytest.param(
            spec(undone(block={"workflow": {"template": "none"}})),
            "nodes.book.compensate.workflow.template",
            "there is no local template 'none'",
            id="S501-no-such-template",
        ),
        pytest.param(
            spec(undone(block={"workflow": {}})),
            "nodes.book.compensate.workflow",
            "expected exactly one of template, templateRef",
            id="S501-no-template",
        ),
        pytest.param(
            spec(
                undone(block={"workflow": {"template": "undo"}}, inputs={"id": 7}),
                templates=[TEMPLATE],
            ),
            "nodes.book.compensate.inputs.id",
            "inputSchema of local template undo",
            id="S501-inputs",
        ),
        pytest.param(
            spec(
                undone(
                    block={"workflow": {"template": "undo"}}, inputs={"id": "${self.output.id}"}
                ),
                templates=[
                    {"name": "undo", "nodes": [undone(block={"workflow": {"template": "undo"}})]}
                ],
            ),
            "templates.undo",
            "template undo calls itself: undo -> undo",
            id="S501-recursion",
        ),
        pytest.param(
            spec(
                undone(block={"workflow": {"template": "undo"}}, inputs={"id": "x"}),
                templates=[
                    {
                        **TEMPLATE,
                        "nodes": [python("a", concurrency={"key": "one", "limit": 1})],
                    }
                ],
                concurrency={"key": "one"},
            ),
            "nodes.book.compensate.workflow",
            "'one' is held by the run while template undo runs",
            id="S501-key",
        ),
        pytest.param(
            spec(
                {"name": "call", "workflow": {"template": "calls"}},
                templates=[
                    {
                        "name": "calls",
                        "nodes": [
                            undone(block={"workflow": {"template": "undo"}}, inputs={"id": "x"})
                        ],
                    },
                    {
                        **TEMPLATE,
                        "nodes": [python("a", concurrency={"key": "one", "limit": 1})],
                    },
                ],
                concurrency={"key": "one"},
            ),
            "nodes.call.workflow",
            "in which node book/compensate: a asks for it",
            id="S501-key-below",
        ),
        pytest.param(
            spec(python("a"), finallyDeadline="0s", **{"finally": [python("b")]}),
            "finallyDeadline",
            "must be longer than 0s",
            id="S277-zero",
        ),
    ],
)
def test_refused(raw: JsonObject, place: str, says: str) -> None:
    raw = _with_inputs(raw)
    problems = define(raw).problems
    assert any(p.field == place and says in p.message for p in problems), problems


def _with_inputs(raw: JsonObject) -> JsonObject:
    """`inputs_` of a node are its inputs; `inputs` of the builder are those of its compensation."""
    nodes = []
    for node in raw["nodes"]:
        own = node.pop("inputs_", None)
        nodes.append({**node, **({"inputs": own} if own else {})})
    return {**raw, "nodes": nodes}


@pytest.mark.parametrize(
    ("fields", "read", "warns"),
    [
        pytest.param({"effect": "once"}, "${self.output.id}", True, id="S274-once-unguarded"),
        pytest.param({"effect": "once"}, "${self.?output.?id}", False, id="S274-once-guarded"),
        pytest.param({}, "${self.output.id}", False, id="S274-surely-there"),
    ],
)
def test_s274_an_output_is_optional_with_effect_once(
    fields: JsonObject, read: str, warns: bool
) -> None:
    definition = define(spec(undone(inputs={"id": read}, outputSchema=BOOKING, **fields)))
    assert not definition.problems
    found = [w for w in definition.warnings if w.field == "nodes.book.compensate.inputs.id"]
    assert bool(found) is warns


def test_s273_nodes_before_it_can_be_read() -> None:
    raw = spec(
        python("quote", outputSchema=BOOKING),
        undone(inputs={"q": "${nodes.quote.output.id}", "why": "${run.reason}"}, after=["mid"]),
        python("mid", dependsOn=["quote"]),
    )
    definition = define(raw)
    assert not definition.problems
    assert definition.graph.order == ("quote", "mid", "book"), "the graph has no compensations"


def test_s505_a_compensation_of_a_map_sees_one_item() -> None:
    read = {"id": "${self.output.id}", "room": "${self.inputs.room}", "at": "${index}"}
    definition = define(_with_inputs(mapped({**read, "item": "${item.id}"})))
    assert not definition.problems
    assert not definition.warnings


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        pytest.param(
            mapped({"x": "1"}, items="${inputs.none}"), ["nodes.book.forEach.items"], id="items"
        ),
        pytest.param(
            mapped({"x": "1"}, tolerate="200%"), ["nodes.book.forEach.tolerate"], id="tolerate"
        ),
    ],
)
def test_s505_a_defect_of_a_map_is_reported_once(raw: JsonObject, places: list[str]) -> None:
    problems = define(_with_inputs(raw)).problems
    assert [one.field for one in problems] == places


def test_s279_the_fingerprint_of_a_node_does_not_cover_its_compensation() -> None:
    plain, with_one = define(spec(python("book"))), define(spec(undone()))
    assert plain.fingerprints == with_one.fingerprints


def test_s501_a_template_that_only_a_compensation_calls_is_used() -> None:
    block = {"workflow": {"template": "undo"}}
    definition = define(spec(undone(block=block, inputs={"id": "x"}), templates=[TEMPLATE]))
    assert not definition.problems
    assert not [one for one in definition.warnings if one.field.startswith("templates")]


def test_schemas_to_share_reach_the_response_of_a_compensation() -> None:
    undo = {"http": {"url": "https://x.example", "responseSchema": {"$ref": "#/schemas/B"}}}
    definition = define(spec(python("a", compensate=undo), schemas={"B": BOOKING}))
    assert not definition.problems
    assert definition.spec is not None
    (made,) = definition.spec.compensations
    assert made.http is not None
    assert made.http.response_schema == BOOKING
