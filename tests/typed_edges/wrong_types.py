"""Values that cannot go where they are sent."""

from waypost.api.base import JsonObject, JsonValue

from tests.support.builders import container, gate, python, spec, wait
from tests.typed_edges.words import (
    FLAG,
    KIND,
    LINE,
    OPTIONAL_TEXT,
    SHARED,
    TEXT,
    TEXTS,
    WHOLE,
    Wrong,
    edge,
    gives,
    http,
    loose,
    shape,
    takes,
    when,
)

LISTS = {"type": "object", "properties": {"l": TEXTS}}


def over(given: JsonValue, items: str, **fields: JsonValue) -> JsonObject:
    """Node a gives `n`; node b is a map over `items`."""
    node = python("b", forEach={"items": items}, inputs={"v": "${item}"}, **fields)
    return spec(gives(n=given), node)


def folder(value: str) -> JsonObject:
    """Node a makes the folder `repo`, node c makes none; node b takes `value`."""
    made = python("a", artifacts={"out": [{"name": "repo", "path": "/data/repo"}]})
    taken = {"in": [{"from": value, "path": "/data/x"}]}
    return spec(made, python("b", artifacts=taken), python("c", outputSchema=TEXT))


ARTIFACT = (
    "nodes.b.artifacts.in[0].from: this field takes an artifact, as in "
    "${nodes.clone.artifacts.repo}, or a list of artifacts, found string"
)
TYPES: dict[str, Wrong] = {
    "type-of-a-list-of-items": Wrong(
        over(TEXT, "${nodes.a.output.n}"),
        "nodes.b.forEach.items: this field takes array, found string",
    ),
    "type-of-a-count-of-items": Wrong(
        over(TEXTS, "${size(nodes.a.output.n)}"),
        "nodes.b.forEach.items: this field takes array, found integer",
    ),
    "type-of-items-in-an-object": Wrong(
        over(LISTS, "${nodes.a.output.n}"),
        "nodes.b.forEach.items: this field takes array, found object; use a list in it, or "
        "keys(...)",
    ),
    "type-of-items-or-null": Wrong(
        over({"type": ["array", "null"]}, "${nodes.a.output.n}"),
        "nodes.b.forEach.items: this field takes array, found possibly null; replace null, as in "
        "x == null ? [] : x",
    ),
    "type-of-a-folder": Wrong(folder("${nodes.a.artifacts.repo.digest}"), ARTIFACT),
    "type-of-a-folder-that-is-text": Wrong(folder("${nodes.c.output}"), ARTIFACT),
    "type-of-a-folder-that-nobody-makes": Wrong(
        folder("${nodes.c.artifacts.repo}"),
        "nodes.b.artifacts.in[0].from: nodes.c makes no artifacts; add artifacts.out with the name "
        "repo to it",
    ),
    "type-text-for-number": Wrong(
        spec(gives(n=TEXT), takes("${nodes.a.output.n}", WHOLE)),
        "nodes.b.inputs.v: inputSchema takes integer, found string",
    ),
    "type-object-for-text": Wrong(
        spec(gives(n=LINE), takes("${nodes.a.output.n}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found object",
    ),
    "type-possibly-null": Wrong(
        spec(gives(n=OPTIONAL_TEXT), takes("${nodes.a.output.n}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found possibly null; replace null, as in "
        "x == null ? 'none' : x, or allow null too",
    ),
    "type-one-of-two": Wrong(
        spec(gives(n={"type": ["string", "integer"]}), takes("${nodes.a.output.n}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found possibly integer",
    ),
    "type-of-items": Wrong(
        edge(TEXTS, {"type": "array", "items": WHOLE}),
        "nodes.b.inputs.v[]: inputSchema takes integer, found string",
    ),
    "type-nested": Wrong(
        edge(shape(doc=shape(id=WHOLE)), shape(doc=shape(id=TEXT))),
        "nodes.b.inputs.v.doc.id: inputSchema takes string, found integer; convert it with "
        "string(...)",
    ),
    "type-of-text-template": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.a.output.n} items", WHOLE)),
        "nodes.b.inputs.v: inputSchema takes integer, found string",
    ),
    "type-of-literal": Wrong(
        spec(gives(n=WHOLE), takes("many", WHOLE)),
        "nodes.b.inputs.v: inputSchema takes integer, found 'many' (string)",
    ),
    "type-of-list-literal": Wrong(
        spec(
            gives(n=WHOLE),
            takes([1, "${nodes.a.output.n}", "x"], {"type": "array", "items": WHOLE}),
        ),
        "nodes.b.inputs.v[2]: inputSchema takes integer, found 'x' (string)",
    ),
    "type-of-computed": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.a.output.n + 1}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found integer; convert it with string(...)",
    ),
    "type-of-condition": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.a.output.n > 1}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found boolean; convert it with string(...)",
    ),
    "type-of-choice": Wrong(
        spec(gives(f=FLAG, n=WHOLE), takes("${nodes.a.output.f ? nodes.a.output.n : 0}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found integer",
    ),
    "type-of-chunk": Wrong(
        spec(gives(n=TEXTS), takes("${chunk(nodes.a.output.n, 2)}", TEXTS)),
        "nodes.b.inputs.v[]: inputSchema takes string, found array (at least 1 items)",
    ),
    "type-of-flatten": Wrong(
        spec(
            gives(n={"type": "array", "items": TEXTS}),
            takes("${flatten(nodes.a.output.n)}", {"type": "array", "items": WHOLE}),
        ),
        "nodes.b.inputs.v[]: inputSchema takes integer, found string",
    ),
    "type-of-zip": Wrong(
        spec(
            gives(n=TEXTS),
            takes(
                "${zip(nodes.a.output.n, range(3))}",
                {"type": "array", "items": {"type": "array", "items": TEXT}},
            ),
        ),
        "nodes.b.inputs.v[][1]: inputSchema takes string, found integer (at least 0, at most "
        "9999); convert it with string(...)",
    ),
    "type-of-range": Wrong(
        spec(takes("${range(3)}", TEXTS)),
        "nodes.b.inputs.v[]: inputSchema takes string, found integer (at least 0, at most 9999); "
        "convert it with string(...)",
    ),
    "type-of-macro": Wrong(
        spec(
            gives(rows={"type": "array", "items": LINE}),
            takes("${nodes.a.output.rows.map(r, r.article)}", {"type": "array", "items": WHOLE}),
        ),
        "nodes.b.inputs.v[]: inputSchema takes integer, found string",
    ),
    "type-of-optional": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.a.output.?n.orValue(0)}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found integer",
    ),
    "type-of-phase": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.a.phase}", WHOLE)),
        "nodes.b.inputs.v: inputSchema takes integer, found 'Succeeded' (string) or 'Failed' "
        "(string) or 'Skipped' (string) or 'Cancelled' (string)",
    ),
    "type-of-approval": Wrong(
        spec(gate("g"), takes("${nodes.g.output.expired}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found boolean; convert it with string(...)",
    ),
    "type-of-http-status": Wrong(
        spec(http("h"), takes("${nodes.h.output.status}", TEXT)),
        "nodes.b.inputs.v: inputSchema takes string, found integer; convert it with string(...)",
    ),
    "type-of-run-input": Wrong(
        spec(takes("${inputs.n}", TEXT), inputs={"n": 1}, inputSchema=shape(n=WHOLE)),
        "nodes.b.inputs.v: inputSchema takes string, found integer; convert it with string(...)",
    ),
    "type-through-refs": Wrong(
        spec(
            python("a", outputSchema={"$ref": "#/schemas/Invoice"}),
            takes(
                "${nodes.a.output.lines}", {"type": "array", "items": {"$ref": "#/schemas/Invoice"}}
            ),
            schemas=SHARED,
        ),
        "nodes.b.inputs.v[]: inputSchema takes a property 'lines', found an object without "
        "'lines' (it has 'article', 'price')",
    ),
    "type-any-of": Wrong(
        edge({"anyOf": [TEXT, FLAG]}, {"anyOf": [TEXT, WHOLE]}),
        "nodes.b.inputs.v: inputSchema takes one of the 2 alternatives of anyOf, found "
        "possibly boolean",
    ),
    "enum-member": Wrong(
        edge(KIND, {"enum": ["incident", "question"]}),
        "nodes.b.inputs.v: inputSchema takes one of 'incident', 'question', found possibly "
        "'praise' (string)",
    ),
    "enum-of-another-type": Wrong(
        edge(WHOLE, KIND),
        "nodes.b.inputs.v: inputSchema takes one of 'incident', 'question', 'praise', found "
        "integer",
    ),
    "const-literal": Wrong(
        spec(takes("refund", KIND)),
        "nodes.b.inputs.v: inputSchema takes one of 'incident', 'question', 'praise', found "
        "'refund' (string)",
    ),
    "bounds-apart": Wrong(
        edge({"type": "integer", "minimum": 10}, {"type": "integer", "maximum": 5}),
        "nodes.b.inputs.v: inputSchema takes at most 5, found integer (at least 10)",
    ),
    "lengths-apart": Wrong(
        edge({"type": "string", "minLength": 50}, {"type": "string", "maxLength": 20}),
        "nodes.b.inputs.v: inputSchema takes at most 20 characters, found string (at least 50 "
        "characters)",
    ),
    "literal-out-of-bounds": Wrong(
        spec(takes(11, {"type": "integer", "maximum": 10})),
        "nodes.b.inputs.v: inputSchema takes at most 10, found 11 (integer)",
    ),
    "literal-breaks-format": Wrong(
        spec(takes("tomorrow", {"type": "string", "format": "date"})),
        "nodes.b.inputs.v: inputSchema takes a date, found 'tomorrow' (string)",
    ),
    "required-missing": Wrong(
        edge(shape(title=TEXT), shape(title=TEXT, body=TEXT)),
        "nodes.b.inputs.v: inputSchema takes a property 'body', found an object without 'body' "
        "(it has 'title')",
    ),
    "required-optional": Wrong(
        edge(loose(title=TEXT), shape(title=TEXT)),
        "nodes.b.inputs.v: inputSchema takes a property 'title', found an object in which "
        "'title' may be absent; add 'title' to required where it is given, or remove it from "
        "required here",
    ),
    "required-not-given": Wrong(
        spec(python("b", inputs={"v": 1}, inputSchema=shape(v=WHOLE, w=WHOLE))),
        "nodes.b.inputs: inputSchema takes a property 'w', found an object without 'w' (it has "
        "'v')",
    ),
    "required-unguarded": Wrong(
        spec(python("a", outputSchema=loose(title=TEXT)), takes("${nodes.a.output.title}", TEXT)),
        "nodes.b.inputs.v: nodes.a.output.title may be absent: write "
        "nodes.a.output.?title.orValue(...), test it with has(), or require it; inputSchema "
        "requires 'v'",
    ),
    "required-left-out": Wrong(
        spec(python("a", outputSchema=loose(title=TEXT)), takes("${nodes.a.output.?title}", TEXT)),
        "nodes.b.inputs: inputSchema takes a property 'v', found an object in which 'v' may be "
        "absent; add 'v' to required where it is given, or remove it from required here",
    ),
    "property-not-taken": Wrong(
        edge(shape(a=TEXT, b=TEXT), {**shape(a=TEXT), "additionalProperties": False}),
        "nodes.b.inputs.v: inputSchema takes no property 'b', found an object with 'b'",
    ),
    "outputs-type": Wrong(
        spec(gives(n=WHOLE), outputs={"n": "${nodes.a.output.n}"}, outputSchema=shape(n=TEXT)),
        "outputs.n: outputSchema takes string, found integer; convert it with string(...)",
    ),
    "outputs-required": Wrong(
        spec(
            gives(n=WHOLE),
            outputs={"n": "${nodes.a.output.n}"},
            outputSchema=shape(n=WHOLE, m=WHOLE),
        ),
        "outputs: outputSchema takes a property 'm', found an object without 'm' (it has 'n')",
    ),
    "when-text": Wrong(
        when("${nodes.a.output.urgent}", urgent=TEXT),
        "nodes.b.when: a condition takes boolean, found string",
    ),
    "when-possibly-null": Wrong(
        when("${nodes.a.output.urgent}", urgent={"type": ["boolean", "null"]}),
        "nodes.b.when: a condition takes boolean, found possibly null; replace null, as in x "
        "== null ? 'none' : x, or allow null too",
    ),
    "when-number": Wrong(
        when("${nodes.a.output.n + 1}", n=WHOLE),
        "nodes.b.when: a condition takes boolean, found integer",
    ),
    "null-in-args": Wrong(
        spec(gives(n=OPTIONAL_TEXT), container("b", args=["${nodes.a.output.n}"])),
        "nodes.b.container.args[0]: this field takes boolean or number or string or array or "
        "object, found possibly null; replace null, as in x == null ? 'none' : x, or allow null "
        "too",
    ),
    "duration-of-number": Wrong(
        spec(gives(n=WHOLE), wait("w", duration="${nodes.a.output.n}")),
        "nodes.w.wait.duration: this field takes string, found integer; add a unit, such as "
        '"${...}s"',
    ),
    "until-of-number": Wrong(
        spec(gives(at=WHOLE), wait("w", until="${nodes.a.output.at}")),
        "nodes.w.wait.until: this field takes string, found integer; convert it with string(...)",
    ),
}
