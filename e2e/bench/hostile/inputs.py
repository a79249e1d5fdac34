"""The hostile inputs: each one is the spec of a run, which any tenant may create.

A schema also has a `value`, which the gateway validates. `stored` has outputs that are too large
for a commit record: the operator reads them from NodeRecords.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from waypost.kube.node_records import EVALUATED

SOURCE: Final = "def run(**inputs):\n    return inputs\n"
LETTERS: Final = "abcdefghijklm"


@dataclass(frozen=True)
class Hostile:
    """One input.

    Attributes:
        name: What it does, as an identifier.
        group: expression, template, schema, enum or pattern.
        spec: The spec of the run.
        stored: Outputs by node that are in NodeRecords.
        schema: What the gateway validates `value` against; None for other groups.
        value: A value of 1 to 8 MiB for the gateway.
    """

    name: str
    group: str
    spec: dict[str, Any]
    stored: dict[str, Any] = field(default_factory=dict)
    schema: Any = None
    value: Any = None


def python(name: str, **fields: Any) -> dict[str, Any]:
    """A python node."""
    return {"name": name, "python": {"source": SOURCE}, **fields}


def _spec(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), **fields}


# --- expressions ---------------------------------------------------------------------------------

# 250 KiB of inputs is what the CRD lets a run have.
DATA: Final[dict[str, Any]] = {
    "s": {"s": "x" * 240_000, "one": [1]},
    "quotes": {"quotes": '"' * 120_000},
    "controls": {"controls": "\x01" * 30_000},
    "l": {"l": list(range(9000)), "s": "x" * 190_000},
    "m": {"m": {f"k{at}": at for at in range(13_000)}, "l": list(range(9000))},
    "texts": {"texts": ["y" * 1000] * 230},
    "rows": {"rows": [{"t": "z" * 80, "n": [1, 2]} for _ in range(1800)]},
    "one": {"one": [1], "t": "a"},
}


def _nested(function: str, times: int, inner: str) -> str:
    return f"{function}(" * times + inner + ")" * times


EXPRESSIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("json-of-json", "quotes", _nested("json", 22, "inputs.quotes")),
    ("json-of-controls", "controls", _nested("json", 10, "inputs.controls")),
    ("quote-of-quote", "quotes", _nested("strings.quote", 18, "inputs.quotes")),
    ("sums", "s", " + ".join([f"({' + '.join(['inputs.s'] * 11)})"] * 11)),
    ("doubling-in-maps", "one", "['aaaa']" + ".map(x, x + x + x + x)" * 12),
    ("doubling-lists", "one", "['aaaa']" + ".map(x, [x, x, x, x])" * 12),
    ("text-in-every-turn", "l", "inputs.l.map(a, inputs.s + string(a))"),
    ("map-in-every-turn", "m", "inputs.l.map(a, {'m': inputs.m, 'n': inputs.m})"),
    ("rows-of-rows", "rows", "inputs.rows.map(r, inputs.rows.map(q, r.t + q.t))"),
    ("replace-nothing", "s", "inputs.s.replace('', inputs.s)"),
    ("replace-by-two", "s", "inputs.s" + ".replace('x', 'xx')" * 12),
    ("split-to-characters", "s", "inputs.s.split('')"),
    ("split-join", "s", "inputs.s.split('').join(inputs.s)"),
    ("format-of-many", "l", "'%s'.format([inputs.l.map(a, inputs.s)])"),
    ("contains-in-a-loop", "l", "inputs.l.all(a, !inputs.s.contains('xxxxxxxxxxxxxxxxxxz'))"),
    ("equal-maps-in-a-loop", "m", "inputs.l.all(a, inputs.m == inputs.m)"),
    ("matches-in-a-loop", "l", "inputs.l.all(a, !inputs.s.matches('(x+x+)+y'))"),
    ("needle-as-long", "s", "inputs.s.contains(inputs.s.substring(0, 100000) + 'z')"),
    ("nested-loops", "rows", "inputs.rows.all(r, inputs.rows.all(q, !q.t.contains(r.t + 'a')))"),
    ("within-every-bound", "rows", "inputs.rows.map(r, {'a': r.t, 'b': r.n, 'c': r.t.size()})"),
)
COMPILING: Final[tuple[tuple[str, str], ...]] = (
    ("deep-loops", "".join(f"inputs.one.map({n}, " for n in LETTERS[:7]) + "1" + ")" * 7),
    ("deep-lists", "[" * 400 + "]" * 400),
    ("deep-conditions", "true ? (" * 180 + "1" + ") : 2" * 180),
    ("deep-parentheses", "(" * 900 + "1" + ")" * 900),
    ("long-chain-of-macros", "inputs.one" + ".map(a, a)" * 190),
    ("many-optionals", "inputs.?a" + ".?b" * 600),
    ("unclosed", "[(" * 900),
    ("a-regular-expression", "inputs.t.matches('" + "(a{1,900}){1,900}" * 20 + "')"),
)


def _expressions() -> Iterator[Hostile]:
    for name, data, source in EXPRESSIONS:
        node = python("a", inputs={"v": f"${{{source}}}"})
        yield Hostile(name, "expression", _spec(node, inputs=DATA[data]))
    for name, source in COMPILING:
        node = python("a", inputs={"v": f"${{{source}}}"})
        yield Hostile(name, "expression", _spec(node, inputs=DATA["one"]))
    # The most that a run can have: each expression is another one, and none is a plain path.
    for name, made in (
        ("500-expressions", [f"${{inputs.l.map(a, a + {at}).size() > {at}}}" for at in range(500)]),
        (
            "100-long-ones",
            [f"${{{'(inputs.l.size() + ' * 100}{at}{')' * 100}}}" for at in range(100)],
        ),
    ):
        yield Hostile(name, "expression", _spec(python("a", inputs={"v": made}), inputs={"l": [1]}))
    # Many small objects: a collection of garbage visits each of them.
    empty: list[Any] = [[] for _ in range(80_000)]
    nodes = (
        python("a", inputs={"v": "${inputs.l.size()}"}),
        python("b", inputs={"v": "${inputs.l}"}),
    )
    yield Hostile("80000-lists", "expression", _spec(*nodes, inputs={"l": empty}))
    # Outputs of a megabyte, as an expression may read them.
    for name, output, source in (
        ("reads-a-mebibyte-of-numbers", [1] * 500_000, "nodes.a.output.size()"),
        ("copies-a-mebibyte-of-texts", ["ab"] * 200_000, "nodes.a.output.map(x, x).size()"),
        ("returns-a-mebibyte", [{"k": at} for at in range(8000)], "nodes.a.output.map(x, x.k)"),
        # More steps than the library takes at once (expressions/long_loops.py).
        ("130000-elements", [1] * 130_000, "nodes.a.output.map(x, x + 1).size()"),
        (
            "loops-in-a-long-loop",
            list(range(20_000)),
            "nodes.a.output.map(x, [x, x].map(y, y + 1)).filter(l, l.exists(z, z > 9)).size()",
        ),
        ("370000-elements", [1] * 370_000, "nodes.a.output.map(x, x + 1).size()"),
        ("140000-objects", [1] * 140_000, "nodes.a.output.map(x, {'x': x}).size()"),
        ("all-of-500000", [1] * 500_000, "nodes.a.output.all(x, x == 1)"),
        ("passes-a-mebibyte-on", "x" * 1_000_000, "nodes.a.output + 'a'"),
    ):
        second = python("b", inputs={"v": f"${{{source}}}"})
        yield Hostile(name, "expression", _spec(python("a"), second), stored={"a": output})


# --- templates -----------------------------------------------------------------------------------


def _templates() -> Iterator[Hostile]:
    of_texts = {"s": "x" * 100_000, "l": list(range(2000)), "one": [1]}
    for name, value in (
        ("text-of-many", "${inputs.s}" * 3000),
        ("list-of-many", ["${inputs.s}"] * 3000),
        ("object-of-many", {f"k{at}": "${inputs.s}" for at in range(3000)}),
        ("reading-many", "${inputs.s.contains('xxxxxxxxxz')}" * 1000),
        ("loops-of-many", ["${inputs.l.map(a, a)}"] * 1500),
        ("unclosed-braces", "${" * 30_000),
        ("braces-of-others", "{{" * 60_000),
        ("dollars", "$$" * 60_000 + "{"),
        ("just-within-the-bound", ["${inputs.s}"] * 300),
        ("nested-braces", "${{" * 500 + "}" * 1000),
    ):
        node = python("a", inputs={"v": value})
        yield Hostile(name, "template", _spec(node, inputs=of_texts))


# --- schemas -------------------------------------------------------------------------------------


def _bomb(levels: int, keyword: str = "allOf") -> dict[str, Any]:
    """Definitions that name the next one twice."""
    made = {f"d{at}": {keyword: [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**made, f"d{levels}": {"type": "string"}}}


def _schemas() -> Iterator[Hostile]:
    numbers = list(range(200_000))
    rows = [{"id": at, "name": "abc"} for at in range(40_000)]
    many = {f"p{at}": {"type": "string", "minLength": 1} for at in range(1200)}
    deep: Any = {"type": "string"}
    value: Any = 1
    for _ in range(10):  # the schema doubles with each
        deep, value = {"anyOf": [{"items": deep}, {"items": deep}]}, [value]
    tree = {
        "$ref": "#/$defs/t",
        "$defs": {
            "t": {
                "anyOf": [
                    {"type": "string"},
                    {"items": {"$ref": "#/$defs/t"}},
                    {"items": {"$ref": "#/$defs/t"}},
                ]
            }
        },
    }
    for name, schema, checked in (
        ("definitions-that-double", _bomb(24), 1),
        ("definitions-that-double-any", _bomb(24, "anyOf"), 1),
        ("within-the-visits", _bomb(10), [1] * 100),
        ("alternatives-of-a-tree", tree, value),
        ("alternatives-in-depth", deep, value),
        ("1000-alternatives", {"items": {"anyOf": [{"const": at} for at in range(1000)]}}, numbers),
        ("1000-one-of", {"items": {"oneOf": [{"minimum": at} for at in range(1000)]}}, numbers),
        ("unique-items", {"uniqueItems": True}, rows),
        ("every-item-is-wrong", {"items": {"type": "string"}}, numbers),
        (
            "unevaluated",
            {"items": {"allOf": [{"properties": many}], "unevaluatedProperties": False}},
            rows,
        ),
        ("contains-of-many", {"items": {"contains": {"const": 1}}}, [[2] * 500] * 400),
        ("refers-to-itself", {"$ref": "#"}, 1),
        (
            "defaults-that-fill",
            {
                "$ref": "#/$defs/d0",
                "$defs": {
                    f"d{at}": {
                        "properties": {
                            f"k{k}": {"$ref": f"#/$defs/d{at + 1}", "default": {}} for k in range(4)
                        }
                    }
                    for at in range(20)
                }
                | {"d20": {}},
            },
            {},
        ),
    ):
        yield _of_schema(name, "schema", schema, checked)
    # Each keyword that fails keeps a copy of the value.
    large = {"big": [1] * 500_000}
    for name, schema in (
        ("2000-required", {"required": [f"k{at}" for at in range(2000)]}),
        ("900-times-false", {"allOf": [False] * 900}),
    ):
        spec = _spec(python("a", outputSchema=schema), python("b", after=["a"]))
        yield Hostile(name, "schema", spec, {"a": large}, schema, {"big": [1] * 900_000})


def _of_schema(name: str, group: str, schema: Any, value: Any) -> Hostile:
    """It checks an output, and types the input of the next node."""
    first = python("a", outputSchema=schema)
    wrapped = {"type": "object", "properties": {"v": schema}} if "$defs" not in schema else None
    second = python("b", inputs={"v": "${nodes.a.output}"})
    if wrapped and "#" not in str(schema.get("$ref", "")):
        second["inputSchema"] = wrapped
    return Hostile(name, group, _spec(first, second), {"a": _small(value)}, schema, _big(value))


def _small(value: Any) -> Any:
    """As much of a list as the operator evaluates."""
    while isinstance(value, list) and _size(value) > EVALUATED:
        value = value[: len(value) * 3 // 4]
    return value


def _big(value: Any) -> Any:
    """A list repeated until the gateway validates it, because the operator would not read it."""
    while isinstance(value, list) and _size(value) <= EVALUATED:
        value = value * 2
    return value


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))


# --- enums and patterns --------------------------------------------------------------------------


def _enums() -> Iterator[Hostile]:
    texts = [f"v{at:05d}" for at in range(5000)]
    for name, members, value in (
        ("5000-texts", texts, texts * 20),
        ("5000-numbers", list(range(9000)), list(range(9000, 109_000))),
        ("objects", [{"k": at} for at in range(4000)], [{"k": -1}] * 20_000),
        ("long-texts", ["x" * 600 + str(at) for at in range(90)], ["x" * 600] * 1500),
        ("lists-in-lists", [[[at]] for at in range(5000)], [[[-1]]] * 20_000),
        ("one-value-again-and-again", ["a"] * 12_000, ["b"] * 100_000),
    ):
        schema = {"type": "array", "items": {"enum": members}}
        yield _of_schema(name, "enum", schema, value)
    # What a node gives is compared with what the next one takes, member by member.
    gives: dict[str, Any] = {"enum": texts}
    takes: dict[str, Any] = {"enum": [*texts[1:], "z"]}
    second = python("b", inputs={"v": "${nodes.a.output}"})
    second["inputSchema"] = {"properties": {"v": takes}}
    spec = _spec(python("a", outputSchema=gives), second)
    yield Hostile("5000-against-5000", "enum", spec, {"a": texts[0]}, gives, texts[0])
    gives, takes = (
        {"enum": [{"k": [at]} for at in range(4000)]},
        {"type": "object", "maxProperties": 1},
    )
    second = python(
        "b", inputs={"v": "${nodes.a.output}"}, inputSchema={"properties": {"v": takes}}
    )
    spec = _spec(python("a", outputSchema=gives), second)
    yield Hostile(
        "4000-objects-against-a-schema", "enum", spec, {"a": {"k": [1]}}, gives, {"k": [1]}
    )


def _patterns() -> Iterator[Hostile]:
    for name, pattern, value in (
        ("repeats-of-repeats", "^(a+)+$", ["a" * 5000 + "b"] * 100),
        ("alternatives-that-overlap", "^(a|aa|a.)*$", ["a" * 5000 + "\n"] * 100),
        ("backreference", r"^(a*)\1\1$", ["a" * 4001] * 100),
        ("look-ahead", r"^(?=(a+)+$)b", ["a" * 3000 + "c"] * 100),
        ("counted-twice", "^(a{1,1000}){1,1000}$", ["a" * 1000] * 100),
        ("classes-counted", r"^[\w\s]{1,4000}$", ["a" * 4001] * 100),
        ("many-small", "|".join(f"a{at}b*" for at in range(900)), ["c" * 1000] * 500),
    ):
        schema = {"type": "array", "items": {"type": "string", "pattern": pattern}}
        yield _of_schema(name, "pattern", schema, value)
    named = {"patternProperties": {f"^a{at}.*": {"type": "string"} for at in range(300)}}
    yield _of_schema("patterns-of-names", "pattern", named, {f"a{at}": 1 for at in range(10_000)})


INPUTS: Final[tuple[Hostile, ...]] = (
    *_expressions(),
    *_templates(),
    *_schemas(),
    *_enums(),
    *_patterns(),
)
