"""Nodes with `repeat`: where its variables exist, their types, and what it cannot be used with."""

from typing import Any

from waypost.api.base import JsonObject

from tests.support.builders import agent, container, http, python, spec
from tests.typed_edges.words import NUMBER, TEXT, WHOLE, Wrong, gives, loose, shape, takes

DONE: dict[str, Any] = shape(passed={"type": "boolean"}, text=TEXT)
LOOP: dict[str, Any] = {"until": "${self.output.passed}", "max": 3}


def looped(*, until: str = LOOP["until"], repeat: Any = None, **fields: Any) -> JsonObject:
    """A spec of one node b that is repeated; `fields` of the node."""
    block = repeat if repeat is not None else {**LOOP, "until": until}
    return spec(python("b", **{"outputSchema": DONE, **fields}, repeat=block))


def fed(value: Any, taken: Any = None, **fields: Any) -> JsonObject:
    """The same with an input v of this value."""
    schema: dict[str, Any] = {} if taken is None else {"inputSchema": shape(v=taken)}
    return looped(inputs={"v": value}, **schema, **fields)


LOOPS_WRONG: dict[str, Wrong] = {
    "item-without-for-each": Wrong(
        spec(takes("${item.url}", None)),
        "nodes.b.inputs.v: item exists only in a node with forEach",
    ),
    "previous-without-repeat": Wrong(
        spec(takes("${previous.?output}", None)),
        "nodes.b.inputs.v: previous exists only in a node with repeat",
    ),
    "candidate-without-first": Wrong(
        spec(takes("${candidate.output}", None)),
        "nodes.b.inputs.v: candidate exists only in first.accept",
    ),
    "index-in-outputs": Wrong(
        {**looped(), "outputs": {"n": "${index}"}},
        "outputs.n: index exists only in a node with forEach or repeat",
    ),
    "index-in-another-node": Wrong(
        spec(gives(t=TEXT), *looped()["nodes"], python("c", inputs={"v": "${index}"})),
        "nodes.c.inputs.v: index exists only in a node with forEach or repeat",
    ),
    "index-in-when": Wrong(
        looped(when="${index == 0}"),
        "nodes.b.when: index does not exist in when, which is evaluated before the iterations; "
        "use it in inputs",
    ),
    "item-in-repeat": Wrong(
        fed("${item}"),
        "nodes.b.inputs.v: item exists only in a node with forEach",
    ),
    "loop-variable-hides-index": Wrong(
        fed("${[1].map(index, index)}"),
        "nodes.b.inputs.v: `index` is already defined here: choose another loop variable",
    ),
    "previous-without-a-guard": Wrong(
        fed("${previous.output.text}", TEXT),
        "nodes.b.inputs.v: the first iteration has no previous: write "
        "previous.?output.?text.orValue(...), or test index > 0 first; inputSchema requires 'v'",
    ),
    "previous-without-a-guard-in-a-prompt": Wrong(
        spec(agent("b", prompt="Improve ${previous.output.text}", outputSchema=DONE, repeat=LOOP)),
        "nodes.b.agent.prompt: the first iteration has no previous: write "
        "previous.?output.?text.orValue(...), or test index > 0 first",
    ),
    "previous-without-a-guard-in-until": Wrong(
        looped(until="${previous.output.passed}"),
        "nodes.b.repeat.until: the first iteration has no previous: write "
        "previous.?output.?passed.orValue(...), or test index > 0 first",
    ),
    "no-such-field-of-previous": Wrong(
        fed("${previous.?outputs}"),
        "nodes.b.inputs.v: previous has no 'outputs': it has output; did you mean 'output'?",
    ),
    "no-such-property-of-previous": Wrong(
        fed("${previous.?output.?texts.orValue('')}"),
        "nodes.b.inputs.v: previous.output has no 'texts': it has passed, text; did you mean "
        "'text'?",
    ),
    "type-of-previous": Wrong(
        fed("${previous.?output.?text.orValue('')}", WHOLE),
        "nodes.b.inputs.v: inputSchema takes integer, found string",
    ),
    "type-of-index": Wrong(
        fed("${index}", TEXT),
        "nodes.b.inputs.v: inputSchema takes string, found integer (at least 0); convert it with "
        "string(...)",
    ),
    "operator-on-previous": Wrong(
        fed("${index > 0 ? previous.output.text + 1 : ''}"),
        "nodes.b.inputs.v: index > 0 ? previous.output.text + 1 : '': `+` does not take (string, "
        "integer); write string(x) to append a value to a text",
    ),
    "until-not-a-condition": Wrong(
        looped(until="${self.output.text}"),
        "nodes.b.repeat.until: a condition takes boolean, found string",
    ),
    "until-as-text": Wrong(
        looped(until="passed"),
        "nodes.b.repeat.until: expected one expression like \"${inputs.urgent}\", found 'passed'",
    ),
    "until-with-a-typo": Wrong(
        looped(until="${self.output.pased}"),
        "nodes.b.repeat.until: self.output has no 'pased': it has passed, text; did you mean "
        "'passed'?",
    ),
    "until-of-self-inputs": Wrong(
        looped(until="${self.inputs.v}"),
        "nodes.b.repeat.until: self has no 'inputs': it has output",
    ),
    "until-by-own-name": Wrong(
        looped(until="${nodes.b.output.passed}"),
        "nodes.b.repeat.until: a node cannot refer to itself; for its output use self.output",
    ),
    "output-of-self-elsewhere": Wrong(
        spec(container("b", args=["${self.output.text}"], outputSchema=DONE, repeat=LOOP)),
        "nodes.b.container.args[0]: self has no 'output': it has inputs, name, attempt, "
        "idempotencyKey",
    ),
    "expression-in-a-literal-field": Wrong(
        spec(container("b", image="work:${index}", outputSchema=DONE, repeat=LOOP)),
        "nodes.b.container.image: ${index} is not evaluated: this field is fixed before the run "
        "starts; for several values write a node for each",
    ),
    "output-for-others": Wrong(
        spec(*looped()["nodes"], python("c", inputs={"v": "${nodes.b.output.texts}"})),
        "nodes.c.inputs.v: nodes.b.output has no 'texts': it has passed, text; did you mean "
        "'text'?",
    ),
}

LOOPS_RIGHT: dict[str, JsonObject] = {
    "guarded-previous": fed("${previous.?output.?text.orValue('')}", TEXT),
    "previous-behind-index": fed("${index > 0 ? previous.output.text : ''}", TEXT),
    "previous-behind-has": fed("${has(previous.output.text) ? previous.output.text : ''}", TEXT),
    "index-as-input": fed("${index + 1}", WHOLE),
    "index-in-text": fed("round ${index}", TEXT),
    "until-with-index": looped(until="${self.output.passed || index == 2}"),
    "until-with-previous": looped(
        until="${self.output.text == previous.?output.?text.orValue('')}"
    ),
    "until-with-inputs": spec(
        python(
            "b",
            outputSchema=shape(score=NUMBER),
            repeat={"until": "${self.output.score >= inputs.target}", "max": 5},
        ),
        inputSchema=shape(target=NUMBER),
        inputs={"target": 0.5},
    ),
    "until-with-another-node": spec(
        gives(n=NUMBER),
        python(
            "b",
            outputSchema=shape(score=NUMBER),
            repeat={"until": "${self.output.score >= nodes.a.output.n}", "max": 5},
        ),
    ),
    "until-guarded": looped(
        until="${self.output.?passed.orValue(false)}",
        outputSchema=loose(passed={"type": "boolean"}),
    ),
    "polling": spec(
        http(
            "b",
            responseSchema=shape(state=TEXT),
            repeat={"until": "${self.output.body.state == 'ready'}", "max": 60, "pause": "10s"},
        ),
    ),
    "loop-variable-of-another-node": spec(
        takes("${[1].map(index, index)}", {"type": "array", "items": WHOLE}),
    ),
    "all-fields": looped(repeat={**LOOP, "pause": "5m", "onLimit": "Succeed"}),
}
