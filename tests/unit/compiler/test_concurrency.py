"""What the static check says about `concurrency`."""

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import gate, python, spec, wait

CRM: JsonObject = {"key": "crm"}


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        pytest.param(
            spec(gate("a", concurrency=CRM)),
            "nodes.a.concurrency",
            "cannot be used with approval, only with agent, container, http, python and workflow; "
            "a slot would be held while people decide; limit the node after it",
            id="S262-approval",
        ),
        pytest.param(
            spec(wait("a", concurrency=CRM)),
            "nodes.a.concurrency",
            "cannot be used with wait",
            id="S262-wait",
        ),
        pytest.param(
            spec(python("a", forEach={"items": "${[1]}"}, concurrency={**CRM, "whenFull": "Skip"})),
            "nodes.a.concurrency.whenFull",
            "Skip cannot be used with forEach",
            id="S262-skip",
        ),
        pytest.param(
            spec(python("a", concurrency={"key": "  "})),
            "nodes.a.concurrency.key",
            "the key is empty",
            id="S262-empty",
        ),
        pytest.param(
            spec(python("a", concurrency={"key": "x" * 201})),
            "nodes.a.concurrency.key",
            "the key has 201 characters, the limit is 200",
            id="S262-long",
        ),
        pytest.param(
            spec(python("a", concurrency={**CRM, "limit": 0})),
            "nodes[0].concurrency.limit",
            "expected at least 1, found 0",
            id="limit-0",
        ),
        pytest.param(
            spec(python("a", concurrency={**CRM, "limit": 101})),
            "nodes[0].concurrency.limit",
            "expected at most 100, found 101",
            id="limit-101",
        ),
        pytest.param(
            spec(
                python("a", concurrency={"key": "${nodes.b.output}"}),
                python("b", outputSchema={"type": "integer"}),
            ),
            "nodes.a.concurrency.key",
            "string",
            id="S250-a-number",
        ),
        pytest.param(
            spec(python("a", concurrency={"key": "${nodes.b.output}"})),
            "nodes.a.concurrency.key",
            "there is no node 'b'",
            id="an-unknown-node",
        ),
        pytest.param(
            spec(
                python("a"),
                concurrency={"key": "${inputs.n}"},
                inputSchema={"type": "object", "properties": {"n": {"type": "integer"}}},
                inputs={"n": 1},
            ),
            "concurrency.key",
            "takes string, found",
            id="S437-a-number-as-the-key-of-a-run",
        ),
        pytest.param(
            spec(
                python("a"),
                concurrency={"key": "${inputs.tennant}"},
                inputSchema={
                    "type": "object",
                    "properties": {"tenant": {"type": "string"}},
                    "additionalProperties": False,
                },
                inputs={"tenant": "x"},
            ),
            "concurrency.key",
            "did you mean 'tenant'",
            id="S437-an-input-that-is-not-declared",
        ),
        pytest.param(
            spec(python("a"), concurrency={**CRM, "limit": 2, "whenFull": "Replace"}),
            "concurrency.whenFull",
            "Replace needs limit 1, found limit 2",
            id="S438-limit",
        ),
        pytest.param(
            spec(python("a", concurrency={**CRM, "whenFull": "Replace"})),
            "nodes[0].concurrency.whenFull",
            "expected 'Wait' or 'Skip'",
            id="S438-node",
        ),
        pytest.param(
            spec(python("a", concurrency={"key": "x-${item}"})),
            "nodes.a.concurrency.key",
            "item exists only in a node with forEach",
            id="S250-item-without-a-map",
        ),
    ],
)
def test_refused(raw: JsonObject, field: str, says: str) -> None:
    (problem,) = define(raw).problems
    assert problem.field == field
    assert says in problem.message


def test_lint_warns_of_different_limits() -> None:
    """S257, S262"""
    raw = spec(
        python("a", concurrency={"key": "crm", "limit": 3}),
        python("b", concurrency={"key": "crm"}),
    )
    (warning,) = define(raw).warnings
    assert str(warning) == (
        "nodes.b.concurrency.limit: is 1, and nodes.a has the same key with limit 3: the smaller "
        "one counts for both"
    )


def test_a_key_is_a_dependency_and_no_part_of_the_fingerprint() -> None:
    """S261"""
    nodes = [python("a", outputSchema={"type": "string"})]
    key = {"key": "crm-${inputs.tenant}-${nodes.a.output}"}
    limited = define(spec(*nodes, python("b", concurrency=key), inputs={"tenant": "x"}))
    plain = define(spec(*nodes, python("b"), inputs={"tenant": "x"}))
    assert limited.graph.dependencies["b"].hard == {"a"}
    assert limited.fingerprints["b"] == plain.fingerprints["b"]


def _part(*nodes: JsonObject, **fields: object) -> JsonObject:
    return {"nodes": list(nodes), **fields}


ASKS = python("sync", concurrency={"key": "crm"})
INNER = {"name": "inner", "workflow": {"template": "deep"}}
KEYS_BELOW = [
    pytest.param(
        _part(ASKS),
        {"key": "crm"},
        None,
        "nodes.call.workflow: 'crm' is held by the child run of call while template part runs, in "
        "which node sync asks for it: it would wait for itself; use another key",
        id="S535-of-the-node",
    ),
    pytest.param(
        _part(INNER),
        {"key": "crm"},
        None,
        "template part runs, in which node inner: sync asks for it",
        id="S535-two-levels",
    ),
    pytest.param(
        _part(ASKS), None, {"key": "crm"}, "'crm' is held by the run while", id="S535-of-the-run"
    ),
    pytest.param(_part(ASKS), {"key": "erp"}, None, "", id="S535-another-key"),
    pytest.param(_part(ASKS), {"key": "${'crm'}"}, None, "", id="S535-not-constant"),
]


@pytest.mark.parametrize(("body", "of_node", "of_run", "says"), KEYS_BELOW)
@pytest.mark.parametrize("local", [True, False], ids=["local", "shared"])
def test_keys_below(
    body: JsonObject, of_node: JsonObject | None, of_run: JsonObject | None, says: str, local: bool
) -> None:
    """An AgentWorkflowTemplate can be another one when it runs: what it asks for is a warning."""
    deep = {"name": "deep", "nodes": [ASKS]}
    kind = {"template": "part"} if local else {"templateRef": {"name": "part"}}
    call: JsonObject = {"name": "call", "workflow": kind}
    if of_node is not None:
        call["concurrency"] = of_node
    raw = spec(call)
    if of_run is not None:
        raw["concurrency"] = of_run
    needs_deep = INNER in body["nodes"]
    if local:
        raw["templates"] = [{"name": "part", **body}, *([deep] if needs_deep else ())]
    shared = {**body, **({"templates": [deep]} if needs_deep else {})}
    definition = define(raw, templates={} if local else {"part": shared})
    found = definition.problems if local else definition.warnings
    assert len(found) == bool(says), found
    assert says in "".join(map(str, found))
    assert not (definition.warnings if local else definition.problems)


def test_s535_a_template_that_has_a_key_too() -> None:
    call: JsonObject = {"name": "call", "workflow": {"templateRef": {"name": "part"}}}
    body = _part(python("a"), concurrency={"key": "other"})
    (warning,) = define(spec({**call, "concurrency": CRM}), templates={"part": body}).warnings
    assert str(warning) == (
        "nodes.call.concurrency: template part has concurrency too, and a run holds one key; "
        "remove one"
    )
