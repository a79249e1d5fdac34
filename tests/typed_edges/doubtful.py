"""Workflows that are accepted with a warning: what is not proven, or may not be there."""

from waypost.api.base import JsonObject

from tests.support.builders import gate, python, spec
from tests.typed_edges.words import (
    FLAG,
    KIND,
    NUMBER,
    OPTIONAL_SHAPE,
    OPTIONAL_SHAPES,
    OPTIONAL_TEXT,
    TEXT,
    TEXTS,
    WHOLE,
    Wrong,
    edge,
    gives,
    http,
    loose,
    reads,
    shape,
    takes,
    when,
)


def _soft_by(expression: str) -> JsonObject:
    """Node b reads the list l of node a, which may be skipped."""
    given = shape(l={"type": "array", "items": loose(x=TEXT)})
    return spec(
        python("a", when="${inputs.go}", outputSchema=given),
        python("b", inputs={"v": f"${{{expression}}}"}),
        inputs={"go": True},
    )


DOUBTFUL: dict[str, Wrong] = {
    "no-output-schema": Wrong(
        spec(python("a"), takes("${nodes.a.output.x}", None)),
        "nodes.a: has no outputSchema, so what reads it is not checked (nodes.b.inputs.v: "
        "output.x)",
    ),
    "may-be-absent": Wrong(
        spec(python("a", outputSchema=loose(x=TEXT)), takes("${nodes.a.output.x}", None)),
        "nodes.b.inputs.v: nodes.a.output.x may be absent: write "
        "nodes.a.output.?x.orValue(...), test it with has(), or require it",
    ),
    "may-be-absent-in-when": Wrong(
        spec(python("a", outputSchema=loose(x=FLAG)), python("b", when="${nodes.a.output.x}")),
        "nodes.b.when: nodes.a.output.x may be absent: write nodes.a.output.?x.orValue(...), "
        "test it with has(), or require it",
    ),
    "additional-may-be-absent": Wrong(
        spec(
            python("a", outputSchema={"type": "object", "additionalProperties": WHOLE}),
            takes("${nodes.a.output.other}", WHOLE),
        ),
        "nodes.b.inputs.v: nodes.a.output.other may be absent: write "
        "nodes.a.output.?other.orValue(...), test it with has(), or require it",
    ),
    "header-may-be-absent": Wrong(
        spec(http("h"), takes("${nodes.h.output.headers['x-total']}", TEXT)),
        "nodes.b.inputs.v: nodes.h.output.headers.x-total may be absent: write "
        "nodes.h.output.headers[?'x-total'].orValue(...), test it with has(), or require it",
    ),
    "null-operand": Wrong(
        reads("nodes.a.output.x + 'low'", x=OPTIONAL_TEXT),
        "nodes.b.inputs.v: nodes.a.output.x may be null, which `+` does not take: write "
        "nodes.a.output.x == null ? ... : ..., or test it first",
    ),
    "null-target": Wrong(
        reads("nodes.a.output.x.trim()", x=OPTIONAL_TEXT),
        "nodes.b.inputs.v: nodes.a.output.x may be null, which `trim` does not take: write "
        "nodes.a.output.x == null ? ... : ..., or test it first",
    ),
    "null-negated": Wrong(
        reads("-nodes.a.output.x", x={"anyOf": [WHOLE, {"type": "null"}]}),
        "nodes.b.inputs.v: nodes.a.output.x may be null, which `-` does not take: write "
        "nodes.a.output.x == null ? ... : ..., or test it first",
    ),
    "S622-element-may-be-null": Wrong(
        reads("nodes.a.output.n.map(r, r.x)", n=OPTIONAL_SHAPES),
        "nodes.b.inputs.v: elements of nodes.a.output.n may be null: write "
        "nodes.a.output.n.filter(r, r != null)",
    ),
    "S622-object-may-be-null": Wrong(
        reads("nodes.a.output.o.x", o=OPTIONAL_SHAPE),
        "nodes.b.inputs.v: nodes.a.output.o may be null: test nodes.a.output.o != null first",
    ),
    "S607-another-index-is-tested": Wrong(
        reads("nodes.a.output.n[3] == null ? 0 : nodes.a.output.n[2].x", n=OPTIONAL_SHAPES),
        "nodes.b.inputs.v: nodes.a.output.n[2] may be null: test nodes.a.output.n[2] != null first",
    ),
    "S607-only-the-length-is-tested": Wrong(
        reads("nodes.a.output.n.size() > 3 ? nodes.a.output.n[3].x : 0", n=OPTIONAL_SHAPES),
        "nodes.b.inputs.v: nodes.a.output.n[3] may be null: test nodes.a.output.n[3] != null first",
    ),
    "absent-in-text": Wrong(
        spec(python("a", outputSchema=loose(x=TEXT)), gate("g", message="${nodes.a.output.?x}!")),
        "nodes.g.approval.message: nodes.a.output.?x may be absent, which has no text: end it "
        "with .orValue('')",
    ),
    "skipped-node": Wrong(
        spec(
            python("a", when="${inputs.go}", outputSchema=shape(n=WHOLE)),
            python("b", inputs={"v": "${nodes.a.output.n}", "p": "${nodes.a.phase}"}),
            inputs={"go": True},
        ),
        "nodes.b.inputs.v: nodes.a.output may be absent: a need not have succeeded, because of "
        "nodes.a.phase in inputs.p; write nodes.a.?output.orValue(...) here too, or add a to "
        "dependsOn",
    ),
    "skipped-node-after": Wrong(
        spec(
            python("a", when="${inputs.go}", outputSchema=shape(n=WHOLE)),
            python("b", inputs={"v": "${nodes.a.output.n}"}, after=["a"]),
            inputs={"go": True},
        ),
        "nodes.b.inputs.v: nodes.a.output may be absent: a need not have succeeded, because of "
        "after: [a]; write nodes.a.?output.orValue(...) here too, or add a to dependsOn",
    ),
    "S607-soft-by-has-by-index": Wrong(
        _soft_by("has(nodes.a.output.l[3].x)"),
        "nodes.b: runs also when a was skipped or failed, because of has(nodes.a.output.l[3].x) in "
        "inputs.v; if only that property is optional, add a to dependsOn, else say so with "
        "after: [a]",
    ),
    "S607-soft-by-optional-by-index": Wrong(
        _soft_by("nodes.a.output.l[3].?x"),
        "nodes.b: runs also when a was skipped or failed, because of nodes.a.output.l[3].?x in "
        "inputs.v; if only that property is optional, add a to dependsOn, else say so with "
        "after: [a]",
    ),
    "S607-soft-by-size-by-index": Wrong(
        _soft_by("size(nodes.a.output.l[3].?x.orValue('')) > 0"),
        "nodes.b: runs also when a was skipped or failed, because of "
        "size(nodes.a.output.l[3].?x.orValue('')) > 0 in inputs.v; if only "
        "that property is optional, add a to dependsOn, else say so with after: [a]",
    ),
    "S607-soft-by-optional-index": Wrong(
        _soft_by("nodes.a.output.l[?3].hasValue()"),
        "nodes.b: runs also when a was skipped or failed, because of "
        "nodes.a.output.l[?3].hasValue() in inputs.v; if only that property is optional, add a to "
        "dependsOn, else say so with after: [a]",
    ),
    "soft-by-a-property": Wrong(
        spec(
            python("a", when="${inputs.go}", outputSchema=loose(x=TEXT)),
            python("b", inputs={"v": "${nodes.a.output.?x}"}),
            inputs={"go": True},
        ),
        "nodes.b: runs also when a was skipped or failed, because of nodes.a.output.?x in "
        "inputs.v; if only that property is optional, add a to dependsOn, else say so with "
        "after: [a]",
    ),
    "number-for-integer": Wrong(
        edge(NUMBER, WHOLE), "nodes.b.inputs.v: inputSchema takes integer; not proven of number"
    ),
    "text-for-member": Wrong(
        edge(TEXT, KIND),
        "nodes.b.inputs.v: inputSchema takes one of 'incident', 'question', 'praise'; not "
        "proven of string",
    ),
    "bound": Wrong(
        edge(WHOLE, {"type": "integer", "maximum": 9}),
        "nodes.b.inputs.v: inputSchema takes at most 9; not proven of integer",
    ),
    "length": Wrong(
        edge(TEXT, {"type": "string", "maxLength": 9}),
        "nodes.b.inputs.v: inputSchema takes at most 9 characters; not proven of string",
    ),
    "pattern": Wrong(
        edge(TEXT, {"type": "string", "pattern": "^x"}),
        "nodes.b.inputs.v: inputSchema takes text that matches '^x'; not proven of string",
    ),
    "format": Wrong(
        edge(TEXT, {"type": "string", "format": "uri"}),
        "nodes.b.inputs.v: inputSchema takes a uri; not proven of string",
    ),
    "unique": Wrong(
        edge(TEXTS, {**TEXTS, "uniqueItems": True}),
        "nodes.b.inputs.v: inputSchema takes no item twice; not proven of array",
    ),
    "not-compared": Wrong(
        edge(TEXT, {"type": "string", "not": {"const": "x"}}),
        "nodes.b.inputs.v: inputSchema takes what 'not' asks for (it is not compared); not "
        "proven of string",
    ),
    "dynamic-object": Wrong(
        edge({"type": "object"}, shape(x=TEXT)),
        "nodes.b.inputs.v: inputSchema takes one with 'x'; not proven of an object without "
        "declared properties",
    ),
    "no-declared-type": Wrong(
        edge({"maxLength": 3}, TEXT),
        "nodes.b.inputs.v: inputSchema takes string; not proven of a value of no declared type",
    ),
    "additional": Wrong(
        edge(
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "properties": {"x": WHOLE}},
        ),
        "nodes.b.inputs.v.x: inputSchema takes integer; not proven of string",
    ),
    "narrowed-upstream": Wrong(
        spec(
            gives(kind=KIND),
            python("c", when="${nodes.a.output.kind == 'praise'}"),
            takes("${nodes.a.output.kind}", {"const": "praise"}, dependsOn=["c"]),
        ),
        "nodes.b.inputs.v: inputSchema takes 'praise'; not proven of possibly 'incident' (string)",
    ),
    "never-that-member": Wrong(
        when("${nodes.a.output.kind == 'incidnt'}", kind=KIND),
        "nodes.b.when: nodes.a.output.kind is never 'incidnt': it is one of 'incident', "
        "'question', 'praise'; did you mean 'incident'?",
    ),
    "never-in-that-list": Wrong(
        when("${nodes.a.output.kind in ['refund']}", kind=KIND),
        "nodes.b.when: nodes.a.output.kind is never 'refund': it is one of 'incident', "
        "'question', 'praise'",
    ),
    "never-that-phase": Wrong(
        when("${nodes.a.phase == 'Suceeded'}", kind=KIND),
        "nodes.b.when: nodes.a.phase is never 'Suceeded': it is one of 'Succeeded', 'Failed', "
        "'Skipped', 'Cancelled'; did you mean 'Succeeded'?",
    ),
    "never-that-decision": Wrong(
        spec(gate("g"), python("b", when="${nodes.g.output.decision == 'Denied'}")),
        "nodes.b.when: nodes.g.output.decision is never 'Denied': it is one of 'Approved'",
    ),
    "error-unguarded": Wrong(
        reads("nodes.a.error.reason", x=TEXT),
        "nodes.b.inputs.v: nodes.a.error may be absent: write nodes.a.?error.orValue(...), or "
        "test nodes.a.phase first",
    ),
}
