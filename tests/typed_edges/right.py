"""Right workflows, each near to a mistake: none may be refused, and none may be doubted."""

from typing import Any

from waypost.api.base import JsonObject

from tests.support.builders import container, gate, python, spec, wait
from tests.typed_edges.words import (
    FLAG,
    KIND,
    LINE,
    NUMBER,
    OPTIONAL_SHAPE,
    OPTIONAL_SHAPES,
    OPTIONAL_TEXT,
    SHARED,
    TEXT,
    TEXTS,
    WHOLE,
    edge,
    gives,
    http,
    loose,
    reads,
    shape,
    takes,
    when,
)

LINES: dict[str, Any] = {"type": "array", "items": LINE}


def only(given: Any, taken: Any) -> JsonObject:
    """What a gives in n goes to b."""
    return spec(gives(n=given), takes("${nodes.a.output.n}", taken))


def guarded(condition: str, value: str, given: Any, taken: Any) -> JsonObject:
    """The same where b runs under a condition."""
    return spec(gives(n=given), takes(value, taken, when=condition))


N = "${nodes.a.output.n}"
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": TEXT, "kids": {"type": "array", "items": {"$ref": "#"}}},
}

ANCHORED: JsonObject = {
    "d": {"$anchor": "x", "properties": {"n": WHOLE}, "required": ["n"]},
    "e": {"$dynamicAnchor": "y", "properties": {"n": WHOLE}, "required": ["n"]},
}


def refers(**references: str) -> JsonObject:
    """A node that reads a property which only a reference declares."""
    declared = {"type": "object", "properties": {"other": TEXT}, **references, "$defs": ANCHORED}
    return spec(python("a", outputSchema=declared), takes("${nodes.a.output.n + 1}", WHOLE))


RIGHT: dict[str, JsonObject] = {
    "path-through-an-anchor": refers(**{"$ref": "#x"}),
    "path-through-a-dynamic-anchor": refers(**{"$dynamicRef": "#y"}),
    "path-through-a-dynamic-pointer": refers(**{"$dynamicRef": "#/$defs/d"}),
    "path": reads("nodes.a.output.title", title=TEXT),
    "path-of-item": reads("nodes.a.output.rows[0].price", rows=LINES),
    "path-in-macro": reads("nodes.a.output.rows.map(r, r.price * 1.2)", rows=LINES),
    "chunks": spec(gives(n=TEXTS), takes("${chunk(nodes.a.output.n, 2).map(c, c[0])}", TEXTS)),
    "flattened": spec(
        gives(n={"type": "array", "items": TEXTS}), takes("${flatten(nodes.a.output.n)}", TEXTS)
    ),
    "flattened-without-null": spec(
        gives(n={"type": "array", "items": {"type": ["array", "null"], "items": TEXT}}),
        takes("${flatten(nodes.a.output.n.filter(r, r != null))}", TEXTS),
    ),
    "without-null": spec(
        gives(n={"type": "array", "items": OPTIONAL_TEXT}),
        takes("${nodes.a.output.n.filter(r, r != null)}", TEXTS),
    ),
    "S622-filtered": reads("nodes.a.output.n.filter(r, r != null).map(r, r.x)", n=OPTIONAL_SHAPES),
    "S622-tested-in-a-loop": reads(
        "nodes.a.output.n.map(r, r == null ? 0 : r.x)", n=OPTIONAL_SHAPES
    ),
    "S622-tested-in-a-filter": reads(
        "nodes.a.output.n.filter(r, r != null && r.x > 0).size()", n=OPTIONAL_SHAPES
    ),
    "S622-tested-object": reads(
        "nodes.a.output.o != null ? nodes.a.output.o.x : 0", o=OPTIONAL_SHAPE
    ),
    "S607-tested-by-index": reads(
        "nodes.a.output.n[3] == null ? 0 : nodes.a.output.n[3].x", n=OPTIONAL_SHAPES
    ),
    "S607-field-tested-by-index": reads(
        "nodes.a.output.n[0].t != null && nodes.a.output.n[0].t.trim() == 'x'",
        n={"type": "array", "items": shape(t=OPTIONAL_TEXT)},
    ),
    "S607-ruled-out-by-when": spec(
        gives(n=OPTIONAL_SHAPES),
        python(
            "b", when="${nodes.a.output.n[1] != null}", inputs={"v": "${nodes.a.output.n[1].x}"}
        ),
    ),
    "zipped": spec(
        gives(n=TEXTS),
        takes(
            "${zip(nodes.a.output.n, range(size(nodes.a.output.n)))}",
            {
                "type": "array",
                "items": {"type": "array", "prefixItems": [TEXT, WHOLE], "minItems": 2},
            },
        ),
    ),
    "ranged": spec(takes("${range(3).map(i, i * 2)}", {"type": "array", "items": WHOLE})),
    "path-in-nested-macro": reads(
        "nodes.a.output.rows.filter(r, r.price > 3.0).map(r, r.article)", rows=LINES
    ),
    "path-by-index": reads("nodes.a.output['a-b']", **{"a-b": TEXT}),
    "path-additional-true": spec(
        python("a", outputSchema={**shape(x=TEXT), "additionalProperties": True}),
        takes("${nodes.a.output.other}", None),
    ),
    "optional-that-is-always-empty": reads("{?'a': optional.none()}.?a.orValue(1)"),
    "null-tested": reads(
        "nodes.a.output.x == null ? 'a' : nodes.a.output.x + 'b'", x=OPTIONAL_TEXT
    ),
    "null-tested-beside": reads(
        "nodes.a.output.x != null && nodes.a.output.x.trim() == 'x'", x=OPTIONAL_TEXT
    ),
    "number-in-a-tuple": reads(
        "math.abs(nodes.a.output.t[1])", t={"type": "array", "prefixItems": [TEXT, WHOLE]}
    ),
    "path-additional-schema": spec(
        python("a", outputSchema={"type": "object", "additionalProperties": WHOLE}),
        takes("${nodes.a.output.?other.orValue(0)}", WHOLE),
    ),
    "path-dynamic": reads("nodes.a.output.doc.anything.at.all", doc={"type": "object"}),
    "path-in-one-alternative": spec(
        python("a", outputSchema={"anyOf": [shape(x=TEXT), shape(y=TEXT)]}),
        takes("${nodes.a.output.?x.orValue('none')}", TEXT),
    ),
    "path-through-refs": spec(
        python("a", outputSchema={"$ref": "#/schemas/Invoice"}),
        takes("${nodes.a.output.lines[0].article}", TEXT),
        schemas=SHARED,
    ),
    "path-recursive": spec(
        python("a", outputSchema=TREE),
        takes("${nodes.a.output.?kids[?0].?kids[?0].?name.orValue('')}", TEXT),
    ),
    "inputs-dynamic": spec(takes("${inputs.a.b.c}", None), inputs={"a": {"b": {"c": 1}}}),
    "inputs-optional-but-given": spec(
        takes("${inputs.a}", TEXT), inputs={"a": "x"}, inputSchema=loose(a=TEXT)
    ),
    "inputs-optional-with-default": spec(
        takes("${inputs.a}", TEXT), inputSchema=loose(a={**TEXT, "default": "x"})
    ),
    "inputs-guarded": spec(
        takes("${has(inputs.a) ? inputs.a : 'none'}", TEXT), inputSchema=loose(a=TEXT)
    ),
    "own-inputs": spec(container("b", inputs={"n": 1}, args=["${self.inputs.n}"])),
    "own-input-by-default": spec(
        container("b", inputSchema=loose(n={**WHOLE, "default": 3}), args=["${self.inputs.n}"])
    ),
    "run-and-self": spec(container("b", args=["${run.name}-${self.name}-${self.attempt}"])),
    "error-after-failure": spec(
        python("a", onFailure="Continue"),
        takes("${nodes.a.phase == 'Failed' ? nodes.a.error.reason : 'none'}", TEXT),
    ),
    "fallback-is-there": spec(
        python("a", onFailure="Continue", fallbackOutput={"n": 1}, outputSchema=shape(n=WHOLE)),
        python("b", inputs={"v": N, "p": "${nodes.a.phase}"}, inputSchema=shape(v=WHOLE, p=TEXT)),
    ),
    "approval": spec(gate("g"), takes("${nodes.g.output.decision}", {"const": "Approved"})),
    "approval-answer": spec(
        gate("g", answerSchema=shape(limit=NUMBER)), takes("${nodes.g.output.answer.limit}", NUMBER)
    ),
    "approval-branch": spec(
        gate("g", onDenied="Continue", answerSchema=shape(limit=NUMBER)),
        takes(
            "${nodes.g.output.answer.limit}",
            NUMBER,
            when="${nodes.g.output.decision == 'Approved' && has(nodes.g.output.answer)}",
        ),
    ),
    "wait": spec(wait("w"), takes("${nodes.w.output.until}", TEXT)),
    "http": spec(
        http("h", responseSchema=shape(id=TEXT)), takes("${nodes.h.output.body.id}", TEXT)
    ),
    "http-headers": spec(
        http("h"), takes("${nodes.h.output.headers[?'content-type'].orValue('')}", TEXT)
    ),
    "integer-for-number": only(WHOLE, NUMBER),
    "member-for-list": only({"enum": ["incident"]}, KIND),
    "member-for-text": only(KIND, TEXT),
    "text-for-nullable": only(TEXT, OPTIONAL_TEXT),
    "one-of-two": only(TEXT, {"anyOf": [TEXT, WHOLE]}),
    "each-of-two": only({"type": ["string", "integer"]}, {"anyOf": [WHOLE, TEXT]}),
    "exactly-one-of-two": only(TEXT, {"oneOf": [TEXT, WHOLE]}),
    "all-of": only({"allOf": [TEXT, {"maxLength": 5}]}, {"type": "string", "maxLength": 9}),
    "bounds-inside": only({"type": "integer", "minimum": 3}, {"type": "integer", "minimum": 1}),
    "more-than-needed": edge(shape(a=TEXT, b=TEXT), shape(a=TEXT)),
    "required-for-optional": edge(shape(a=TEXT), loose(a=TEXT)),
    "optional-for-optional": edge(loose(a=TEXT), loose(a=TEXT)),
    "default-for-missing": spec(
        python("b", inputs={"v": 1}, inputSchema=shape(v=WHOLE, w={**WHOLE, "default": 2}))
    ),
    "recursive": spec(
        python("a", outputSchema={"$ref": "#/schemas/Tree"}),
        takes("${nodes.a.output}", {"$ref": "#/schemas/Tree"}),
        schemas={"Tree": TREE},
    ),
    "anything-taken": only({}, {}),
    "anything-given": spec(python("a"), takes("${nodes.a.output}", TEXT)),
    "left-out": spec(
        python("a", outputSchema=loose(n=WHOLE)),
        python("b", inputs={"v": "${nodes.a.output.?n}"}, inputSchema=loose(v=WHOLE)),
    ),
    "null-replaced": spec(
        gives(n=OPTIONAL_TEXT),
        takes("${nodes.a.output.n == null ? 'none' : string(nodes.a.output.n)}", TEXT),
    ),
    "null-ruled-out-by-when": guarded("${nodes.a.output.n != null}", N, OPTIONAL_TEXT, TEXT),
    "null-ruled-out-upstream": spec(
        gives(n=OPTIONAL_TEXT),
        python("c", when="${true && nodes.a.output.n != null}"),
        takes(N, TEXT, dependsOn=["c"]),
    ),
    "null-ruled-out-in-env": spec(
        gives(n=OPTIONAL_TEXT),
        container("b", env=[{"name": "N", "value": N}], when="${!(nodes.a.output.n == null)}"),
    ),
    "null-ruled-out-by-and": when(
        "${nodes.a.output.n != null && nodes.a.output.n.startsWith('x')}", n=OPTIONAL_TEXT
    ),
    "null-in-message": spec(gives(n=OPTIONAL_TEXT), gate("g", message=N)),
    "number-as-text": spec(gives(n=WHOLE), takes("${string(nodes.a.output.n)}", TEXT)),
    "text-template": spec(gives(n=WHOLE), takes("${nodes.a.output.n} items", TEXT)),
    "numbers-mix": when("${nodes.a.output.n > 3 && nodes.a.output.n * 2 == 4}", n=NUMBER),
    "number-among-integers": when("${nodes.a.output.n in [1, 2]}", n=NUMBER),
    "number-chosen": reads("true ? nodes.a.output.n : 0", n=NUMBER),
    "compare-with-null": when("${nodes.a.output.t != null}", t=TEXT),
    "flag-negated": when("${!nodes.a.output.f}", f=FLAG),
    "member": when("${nodes.a.output.kind in ['incident', 'praise']}", kind=KIND),
    "text-in-list": when("${'x' in nodes.a.output.tags}", tags=TEXTS),
    "keys-of-object": reads("keys(nodes.a.output)", title=TEXT),
    "json-of-object": reads("json(nodes.a.output)", title=TEXT),
    "size-of-object": reads("size(nodes.a.output)", title=TEXT),
    "name-in-object": when("${'title' in nodes.a.output}", title=TEXT),
    "object-literal": spec(
        gives(t=TEXT), takes("${{'title': nodes.a.output.t, 'n': 1}}", shape(title=TEXT, n=WHOLE))
    ),
    "list-literal": spec(
        gives(t=TEXT), takes("${[nodes.a.output.t, 'x']}", {**TEXTS, "minItems": 2})
    ),
    "yaml-object": spec(
        gives(t=TEXT), takes({"title": "${nodes.a.output.t}", "n": 1}, shape(title=TEXT, n=WHOLE))
    ),
    "split": spec(gives(t=TEXT), takes("${nodes.a.output.t.split(',')}", {"type": "array"})),
    "outputs": spec(
        gives(n=WHOLE),
        outputs={"n": N, "m": "${nodes.a.output.n + 1}"},
        outputSchema=shape(n=WHOLE, m=WHOLE),
    ),
    "shared-schema-both-ways": spec(
        python("a", outputSchema={"$ref": "#/schemas/Invoice"}),
        takes("${nodes.a.output}", {"$ref": "#/schemas/Invoice"}),
        schemas=SHARED,
    ),
    "function-in-module": spec(
        {"name": "a", "python": {"function": "tools:f"}, "inputs": {"x": 1}},
        modules={"tools": "def f(x):\n    return x\n"},
    ),
    "branch-on-soft-node": spec(
        python("a", when="${inputs.go}", outputSchema=shape(n=WHOLE)),
        python("b", inputs={"v": "${nodes.a.?output.?n.orValue(0)}"}, inputSchema=shape(v=WHOLE)),
        inputs={"go": True},
    ),
}
