"""Operators that cannot take what they are given; graphs and schemas that are none."""

from tests.support.builders import python, spec
from tests.typed_edges.words import (
    FLAG,
    NUMBER,
    SHARED,
    TEXT,
    TEXTS,
    WHOLE,
    Wrong,
    gives,
    reads,
    shape,
    takes,
    when,
)

EXPRESSIONS: dict[str, Wrong] = {
    "compare-text-with-number": Wrong(
        when("${nodes.a.output.code == 404}", code=TEXT),
        "nodes.b.when: nodes.a.output.code == 404: `==` compares string with integer: they are "
        "never equal",
    ),
    "compare-number-with-text": Wrong(
        when("${nodes.a.output.code == '404'}", code=WHOLE),
        "nodes.b.when: nodes.a.output.code == '404': `==` compares integer with string: they "
        "are never equal",
    ),
    "compare-list-with-text": Wrong(
        when("${nodes.a.output.tags == 'x'}", tags=TEXTS),
        "nodes.b.when: nodes.a.output.tags == 'x': `==` compares array of string with string: "
        "they are never equal",
    ),
    "a-time-is-not-json": Wrong(
        reads("timestamp(nodes.a.output.at) + duration('5m')", at=TEXT),
        "nodes.b.inputs.v: timestamp(nodes.a.output.at) + duration('5m'): a timestamp is not JSON; "
        "convert it, for example with string(...)",
    ),
    "a-duration-inside-a-list": Wrong(
        reads("[nodes.a.output.at, duration('5m')]", at=TEXT),
        "nodes.b.inputs.v: [nodes.a.output.at, duration('5m')]: a duration is not JSON; "
        "convert it, for example with string(...)",
    ),
    "bytes-in-both-branches": Wrong(
        reads("nodes.a.output.n > 1.0 ? b'a' : b'b'", n=NUMBER),
        "nodes.b.inputs.v: nodes.a.output.n > 1.0 ? b'a' : b'b': bytes is not JSON; "
        "convert it, for example with string(...)",
    ),
    "add-text-and-number": Wrong(
        reads("nodes.a.output.title + 1", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output.title + 1: `+` does not take (string, integer)"
        "; write string(x) to append a value to a text",
    ),
    "add-number-and-text": Wrong(
        reads("'n: ' + nodes.a.output.n", n=NUMBER),
        "nodes.b.inputs.v: 'n: ' + nodes.a.output.n: `+` does not take (string, number)"
        "; write string(x) to append a value to a text",
    ),
    "and-of-text": Wrong(
        when("${nodes.a.output.title && true}", title=TEXT),
        "nodes.b.when: nodes.a.output.title && true: `&&` does not take (string, boolean)"
        ": it takes true or false; compare first, as in x != ''",
    ),
    "not-of-number": Wrong(
        when("${!nodes.a.output.n}", n=WHOLE),
        "nodes.b.when: !nodes.a.output.n: `!` does not take (integer)"
        ": it takes true or false; compare first, as in x != 0",
    ),
    "method-of-number": Wrong(
        reads("nodes.a.output.n.startsWith('x')", n=WHOLE),
        "nodes.b.inputs.v: nodes.a.output.n.startsWith('x'): `startsWith` does not take "
        "(integer, string)",
    ),
    "size-of-number": Wrong(
        reads("size(nodes.a.output.n)", n=WHOLE),
        "nodes.b.inputs.v: size(nodes.a.output.n): `size` does not take (integer); it "
        "takes a text, a list or an object",
    ),
    "in-text": Wrong(
        when("${'x' in nodes.a.output.title}", title=TEXT),
        "nodes.b.when: 'x' in nodes.a.output.title: `in` does not take (string, string)",
    ),
    "member-of-other-type": Wrong(
        when("${1 in nodes.a.output.tags}", tags=TEXTS),
        "nodes.b.when: 1 in nodes.a.output.tags: `in` does not take (integer, array of string)",
    ),
    "condition-of-choice": Wrong(
        reads("nodes.a.output.title ? 1 : 2", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output.title ? 1 : 2: `? :` does not take (string, integer, "
        "integer): it takes true or false; compare first, as in x != ''",
    ),
    "order-of-flags": Wrong(
        when("${nodes.a.output.f > 1}", f=FLAG),
        "nodes.b.when: nodes.a.output.f > 1: `>` does not take (boolean, integer)",
    ),
    "items-of-text": Wrong(
        reads("nodes.a.output.tags.map(t, t + 1)", tags=TEXTS),
        "nodes.b.inputs.v: nodes.a.output.tags.map(t, t + 1): `+` does not take (string, integer)"
        "; write string(x) to append a value to a text",
    ),
    "chunk-by-zero": Wrong(
        reads("chunk(nodes.a.output.tags, 0)", tags=TEXTS),
        "nodes.b.inputs.v: chunk(list, n): n must be 1 or more, found 0",
    ),
    "chunk-of-text": Wrong(
        reads("chunk(nodes.a.output.title, 2)", title=TEXT),
        "nodes.b.inputs.v: chunk(nodes.a.output.title, 2): `chunk` does not take (string, integer)",
    ),
    "chunk-by-number": Wrong(
        reads("chunk(nodes.a.output.tags, nodes.a.output.n)", tags=TEXTS, n=NUMBER),
        "nodes.b.inputs.v: chunk(nodes.a.output.tags, nodes.a.output.n): `chunk` does not take "
        "(array of string, number)",
    ),
    "flatten-of-texts": Wrong(
        reads("flatten(nodes.a.output.tags)", tags=TEXTS),
        "nodes.b.inputs.v: flatten takes a list of lists, nodes.a.output.tags[] is string",
    ),
    "flatten-of-lists-or-null": Wrong(
        reads(
            "flatten(nodes.a.output.pages)",
            pages={"type": "array", "items": {"type": ["array", "null"], "items": TEXT}},
        ),
        "nodes.b.inputs.v: flatten takes a list of lists, nodes.a.output.pages[] may be null: "
        "write flatten(nodes.a.output.pages.filter(r, r != null))",
    ),
    "range-too-long": Wrong(
        reads("range(20000)"),
        "nodes.b.inputs.v: range(n): n must be from 0 to 10000, found 20000",
    ),
    "range-without-a-number": Wrong(
        spec(takes("${range()}", None)),
        "nodes.b.inputs.v: the function `range` is written range(n)",
    ),
    "syntax": Wrong(
        spec(takes("${inputs.}", None)),
        "nodes.b.inputs.v: syntax error: no viable alternative at input '.'",
    ),
    "unknown-variable": Wrong(
        spec(takes("${input.x}", None)),
        "nodes.b.inputs.v: nothing is named `input` here: there are inputs, nodes.<name>, self "
        "and run; did you mean inputs?",
    ),
    "never-closed": Wrong(
        spec(takes("${inputs.x", None)),
        "nodes.b.inputs.v: `${` is never closed by `}`; write $${ for a literal",
    ),
    "self-in-inputs": Wrong(
        spec(takes("${self.name}", None)),
        "nodes.b.inputs.v: self is not available here; it is for fields such as message, args "
        "and env",
    ),
}

GRAPHS: dict[str, Wrong] = {
    "cycle": Wrong(
        spec(
            python("a", inputs={"v": "${nodes.b.output}"}),
            python("b", inputs={"v": "${nodes.a.output}"}),
        ),
        "nodes: the nodes wait for each other: a -> b -> a; remove one of these references",
    ),
    "cycle-of-three": Wrong(
        spec(python("a", dependsOn=["c"]), python("b", dependsOn=["a"]), python("c", after=["b"])),
        "nodes: the nodes wait for each other: a -> c -> b -> a; remove one of these references",
    ),
    "no-such-node": Wrong(
        spec(gives(n=WHOLE), takes("${nodes.aa.output}", None)),
        "nodes.b.inputs.v: there is no node 'aa'; nodes: a, b",
    ),
    "depends-on-nothing": Wrong(
        spec(python("b", dependsOn=["c"])), "nodes.b.dependsOn: there is no node 'c'; nodes: b"
    ),
    "itself": Wrong(
        spec(python("b", inputs={"v": "${nodes.b.output}"})),
        "nodes.b.inputs.v: a node cannot refer to itself; for its inputs use self.inputs",
    ),
    "number-of-a-text-in-a-tuple": Wrong(
        reads("math.abs(nodes.a.output.t[0])", t={"type": "array", "prefixItems": [TEXT, WHOLE]}),
        "nodes.b.inputs.v: nodes.a.output.t[0] is string, `math.abs` takes numbers",
    ),
    "schema-of-no-type": Wrong(
        spec(python("a", outputSchema={"type": "text"})),
        "nodes.a.outputSchema: not a usable JSON Schema: $.type: expected one of array, boolean, "
        "integer, null, number, object, string, or a list of them, found 'text' (string); did you "
        "mean string?",
    ),
    "schema-ref-nowhere": Wrong(
        spec(python("a", outputSchema={"$ref": "#/$defs/X"})),
        "nodes.a.outputSchema: not a usable JSON Schema: a $ref names #/$defs/X, and the schema "
        "has nothing there",
    ),
    "schema-ref-remote": Wrong(
        spec(python("a", outputSchema={"$ref": "https://example.org/x.json"})),
        "nodes.a.outputSchema: $ref 'https://example.org/x.json': only references inside the "
        "schema (#/...) are allowed",
    ),
    "schema-ref-misspelt": Wrong(
        spec(python("a", outputSchema={"$ref": "#/schemas/Invoce"}), schemas=SHARED),
        "nodes.a.outputSchema: spec.schemas has no 'Invoce'; did you mean 'Invoice'?",
    ),
    "schema-shared-unusable": Wrong(
        spec(python("a"), schemas={"A": {"type": 3}}),
        "schemas.A: not a usable JSON Schema: $.type: expected one of array, boolean, integer, "
        "null, number, object, string, or a list of them, found 3 (integer)",
    ),
    "input-breaks-schema": Wrong(
        spec(python("a"), inputs={"n": "x"}, inputSchema=shape(n=WHOLE)),
        "inputs.n: $.n: expected integer, found 'x' (string)",
    ),
    "fallback-breaks-schema": Wrong(
        spec(
            python(
                "a", onFailure="Continue", fallbackOutput={"n": "x"}, outputSchema=shape(n=WHOLE)
            )
        ),
        "nodes.a.fallbackOutput: does not meet outputSchema: $.n: expected integer, found 'x' "
        "(string)",
    ),
    "module-syntax": Wrong(
        spec(python("a"), modules={"tools": "def f(:"}),
        "modules.tools: is not Python: invalid syntax (line 1)",
    ),
    "S26-module-keyword": Wrong(
        spec(python("a"), modules={"class": "x = 1"}),
        "modules.class: 'class' is not a valid module name; choose another",
    ),
    "function-not-in-module": Wrong(
        spec(
            {"name": "a", "python": {"function": "tools:sumarize"}},
            modules={"tools": "def summarize():\n    return 1\n"},
        ),
        "nodes.a.python.function: defines no function sumarize; add def sumarize(...): with "
        "the node's inputs; did you mean 'summarize'?",
    ),
    "parameter-missing": Wrong(
        spec(python("a", source="def run(x):\n    return x\n")),
        "nodes.a.python.source: run requires 'x', missing in inputs; add it there",
    ),
}
