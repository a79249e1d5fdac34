"""What the static check says about `memory`, and about expressions that read it."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.compiler.templates import define_template

from tests.support.builders import agent, gate, python, spec

NUMBER: JsonObject = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
}
REMEMBER: JsonObject = {"n": "${nodes.a.output.n}", "name": "${run.name}"}


def reads(expression: str, *, memory: JsonObject | None = None, **fields: object) -> JsonObject:
    """A run whose node reads an expression."""
    block = {"key": "k", "remember": REMEMBER} if memory is None else memory
    node = python("a", inputs={"x": f"${{{expression}}}"}, outputSchema=NUMBER)
    return spec(node, **{"memory": block, **fields})


def problems(raw: JsonObject, severity: str = "error") -> list[str]:
    """The problems of a spec, of one severity."""
    definition = define(raw)
    return [str(p) for p in (*definition.problems, *definition.warnings) if p.severity == severity]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        pytest.param(
            "memory.last.outputs.n",
            "nodes.a.inputs.x: the first run has no last: write "
            "memory.?last.?outputs.?n.orValue(...), or test has(memory.last) first",
            id="S695-unguarded",
        ),
        pytest.param(
            "memory.lastSucceeded.run",
            "nodes.a.inputs.x: the first run has no lastSucceeded: write "
            "memory.?lastSucceeded.?run.orValue(...), or test has(memory.lastSucceeded) first",
            id="S695-unguarded-last-good",
        ),
        pytest.param(
            "memory.?last.?outputs.?nn.orValue(0)",
            "nodes.a.inputs.x: memory.last.outputs has no 'nn': it has n, name; did you mean 'n'?",
            id="S695-misspelt",
        ),
        pytest.param(
            "memory.lastRun",
            "nodes.a.inputs.x: memory has no 'lastRun'",
            id="S695-no-such-variable",
        ),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_refused(expression: str, says: str) -> None:
    found = problems(reads(expression))
    assert found
    assert found[0].startswith(says)


def test_a_remembered_value_has_the_type_of_its_expression() -> None:
    """S695: so it can be compared with the schema of what takes it."""
    raw = reads("memory.?last.?outputs.?name.orValue('')")
    raw["nodes"][0]["inputSchema"] = {"type": "object", "properties": {"x": {"type": "integer"}}}
    assert problems(raw) == ["nodes.a.inputs.x: inputSchema takes integer, found string"]


@pytest.mark.parametrize(
    "expression",
    [
        "memory.?last.?outputs.?n.orValue(0) + 1",
        "has(memory.last) ? memory.last.finishedAt : ''",
        "memory.episodes.map(e, e.outputs.?n.orValue(0))",
        "memory.facts.map(f, f.text)",
        "memory.bySubject[?'address'].?text.orValue('')",
        "memory.?lastSucceeded.?succeeded.orValue(false) ? 1 : 0",
        "memory.key + run.name",
    ],
)
def test_an_expression_with_guards_has_no_problem(expression: str) -> None:
    """S695"""
    assert problems(reads(expression)) == []
    assert problems(reads(expression), "warning") == []


def test_without_a_block_there_is_no_memory() -> None:
    """S695"""
    node = python("a", inputs={"x": "${memory.?last.?run.orValue('')}"})
    says = "this run has no memory block; add memory: {key: ...}"
    assert problems(spec(node)) == [f"nodes.a.inputs.x: {says}"]
    outputs = {"x": "${memory.key}"}
    assert problems(spec(python("a"), outputs=outputs)) == [f"outputs.x: {says}"]


@pytest.mark.parametrize(
    ("memory", "says"),
    [
        pytest.param(
            {"key": " "},
            "memory.key: is empty; give it a name, such as that of a customer",
            id="S693-empty",
        ),
        pytest.param(
            {"key": "${nodes.a.output.n}"},
            "memory.key: is evaluated before any node has run, so it cannot read nodes; use inputs",
            id="S693-node",
        ),
        pytest.param(
            {"key": "${memory.key}"},
            "memory.key: memory does not exist here; use inputs or run",
            id="S693-itself",
        ),
        pytest.param(
            {"key": "k", "expireAfter": "17521h"},
            "memory.expireAfter: 17521h is more than 17520h, which is two years; shorten it",
            id="S693-too-long",
        ),
        pytest.param(
            {"key": "k", "remember": {"x": "${nodes.b.output}"}},
            "memory.remember.x: there is no node 'b'; nodes: a",
            id="S691-no-such-node",
        ),
    ],
)
def test_a_block_that_cannot_be_used_is_refused(memory: JsonObject, says: str) -> None:
    assert says in problems(spec(python("a", outputSchema=NUMBER), memory=memory))


def test_the_key_of_concurrency_is_evaluated_before_the_memory_is_read() -> None:
    """S690"""
    raw = reads("1", concurrency={"key": "${memory.key}"})
    assert problems(raw)[0].startswith("concurrency.key: memory does not exist here")


def test_a_memory_of_the_whole_namespace_is_warned_of() -> None:
    """S693"""
    warnings = problems(spec(gate("a"), memory={"key": "k", "scope": "Namespace"}), "warning")
    assert warnings == [
        "memory.scope: Namespace: runs of all workflows of the namespace read what this one "
        "remembers; use Workflow unless they must"
    ]


@pytest.mark.parametrize(("key", "warned"), [("k", True), ("${inputs.n}", False)])
def test_items_that_share_a_memory_are_warned_of(key: str, warned: bool) -> None:
    """S693"""
    called = {"one": spec(python("a"), memory={"key": key})}
    call = {"name": "each", "workflow": {"templateRef": {"name": "one"}}}
    call["forEach"] = {"items": "${[1, 2]}"}
    found = define_template(spec(call), name="all", templates=called).warnings
    assert any("memory.key of template one reads no input" in str(p) for p in found) is warned


def test_what_is_remembered_has_the_type_of_today() -> None:
    """S695"""
    definition = define(reads("1"))
    assert definition.may_remember("n", 3)
    assert not definition.may_remember("n", "3")
    assert definition.may_remember("of an earlier definition", "3")
    assert definition.memory_readers == frozenset()
    assert define(reads("memory.key")).memory_readers == {"a"}


def stating(
    remember: JsonObject, *, memory: JsonObject | None = None, **fields: object
) -> JsonObject:
    """A run whose node remembers facts of its output."""
    schema = {
        "type": "object",
        "properties": {"facts": {"type": "array", "items": {"$ref": "#/schemas/Fact"}}},
        "required": ["facts"],
    }
    node = {**python("a", outputSchema=schema), "remember": remember, **fields}
    shape = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["text"],
        "additionalProperties": False,
    }
    made = spec(node, schemas={"Fact": shape})
    return made | ({"memory": memory} if memory != {} else {})


MEMORY: JsonObject = {"key": "k", "factSchema": {"$ref": "#/schemas/Fact"}}


@pytest.mark.parametrize(
    ("remember", "memory", "fields", "says"),
    [
        pytest.param(
            {"facts": "${self.output.facts}"},
            {},
            {},
            "nodes.a.remember: this run has no memory block; add memory: {key: ...}",
            id="S738-no-memory",
        ),
        pytest.param(
            {"facts": "${self.output.fact}"},
            MEMORY,
            {},
            "nodes.a.remember.facts: self.output has no 'fact'",
            id="S744-misspelt",
        ),
        pytest.param(
            {"facts": "${nodes.a.output.facts}"},
            MEMORY,
            {},
            "nodes.a.remember.facts: a node cannot refer to itself; for its output use self.output",
            id="S744-itself",
        ),
        pytest.param(
            {"facts": "${memory.facts}"},
            MEMORY,
            {},
            "nodes.a.remember.facts: memory does not exist in remember.facts; it sees self.output, "
            "inputs and run",
            id="S744-memory",
        ),
        pytest.param(
            {"facts": [{"text": "${item}"}]},
            MEMORY,
            {"forEach": {"items": "${['a']}"}},
            "nodes.a.remember.facts: item does not exist in remember.facts; it sees self.output, "
            "inputs and run",
            id="S744-item",
        ),
        pytest.param(
            {"facts": [{"txt": "x"}]},
            MEMORY,
            {},
            "nodes.a.remember.facts",
            id="S738-no-fact",
        ),
    ],
)
def test_facts_that_cannot_be_remembered_are_refused(
    remember: JsonObject, memory: JsonObject, fields: JsonObject, says: str
) -> None:
    found = problems(stating(remember, memory=memory, **fields))
    assert found
    assert found[0].startswith(says)


def test_facts_that_fit_are_accepted() -> None:
    """S738: those of the output, and values that code computes."""
    for facts in ("${self.output.facts}", [{"text": "${run.name}", "n": 1}], "${null}"):
        assert not problems(stating({"facts": facts}, memory=MEMORY)), facts


def test_bounds_that_are_not_proven_are_named_one_by_one() -> None:
    """S738: as for inputs; the value is checked again before the checkpoint."""
    fact = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    given = {"type": "object", "properties": {"facts": {"type": "array", "items": fact}}}
    raw = stating({"facts": "${self.output.facts}"}, memory={"key": "k"})
    raw["nodes"][0]["outputSchema"] = {**given, "required": ["facts"]}
    found = [text for text in problems(raw, "warning") if "remember" in text]
    assert not problems(raw)
    assert found[0] == (
        "nodes.a.remember.facts: memory.factSchema takes at most 20 items; not proven of array"
    )
    assert all("anyOf" not in text for text in found)


def test_facts_of_another_node_are_refused() -> None:
    """S744: a node remembers its own output."""
    raw = stating({"facts": "${nodes.b.output}"}, memory=MEMORY)
    raw["nodes"].append(python("b"))
    assert problems(raw) == [
        "nodes.a.remember.facts: cannot read nodes.b; it sees self.output, inputs and run"
    ]


def thinking(own: JsonObject, **memory: object) -> JsonObject:
    """An agent with the tools of a server that remembers facts."""
    node = agent("a", outputSchema={"type": "object"}, remember={"facts": [], **own})
    node["agent"]["tools"] = [{"server": "web", "allow": ["search"]}]
    return spec(node, memory={"key": "k", **memory})


def test_an_agent_cannot_loosen_the_review() -> None:
    """S743: what it writes, it may have read."""
    assert problems(thinking({"review": "Automatic"})) == [
        "nodes.a.remember.review: Automatic is not allowed for agents, which read what others "
        "wrote; remove it, or let a python node remember what it checks"
    ]


def test_lint_warns_of_facts_that_nobody_reviews() -> None:
    """S743: a page that a tool reads can put text into them."""
    found = problems(thinking({}, review="Automatic"), "warning")
    assert (
        "nodes.a.remember: tools of web can put text into these facts, and memory.review: "
        "Automatic lets later runs read them unseen; use review: Required"
    ) in found
    assert not any("tools of web" in one for one in problems(thinking({}), "warning"))


def test_what_is_remembered_does_not_change_the_checkpoint() -> None:
    """S740: a round with another `remember` keeps it."""
    one = define(stating({"facts": "${self.output.facts}"}, memory=MEMORY))
    other = define(stating({"facts": []}, memory=MEMORY))
    assert one.fingerprints == other.fingerprints


HIDDEN: JsonObject = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "password": {"type": "string", "x-waypost-sensitive": True},
        "card": {"$ref": "#/$defs/card"},
        "facts": {"type": "array"},
    },
    "$defs": {"card": {"type": "object", "x-waypost-sensitive": True}},
}


def marked(memory: JsonObject | None = None, **fields: Any) -> JsonObject:
    """A run whose node has marked values in its output, and whose inputs have one."""
    node = python("a", outputSchema=HIDDEN, **fields)
    given: JsonObject = {"inputSchema": HIDDEN, "inputs": {"n": 1, "password": "x"}}
    return spec(node, memory={"key": "k", **(memory or {})}, **given)


@pytest.mark.parametrize(
    ("raw", "place", "path"),
    [
        pytest.param(
            marked({"remember": {"p": "${nodes.a.output.password}"}}),
            "memory.remember.p",
            "nodes.a.output.password",
            id="S749-episode",
        ),
        pytest.param(
            marked({"remember": {"c": "${nodes.a.?output.?card.?number}"}}),
            "memory.remember.c",
            "nodes.a.output.card.number",
            id="S749-below-a-reference",
        ),
        pytest.param(
            marked({"key": "for-${inputs.password}"}),
            "memory.key",
            "inputs.password",
            id="S749-key",
        ),
        pytest.param(
            marked(remember={"facts": [{"text": "is ${self.output.password}"}]}),
            "nodes.a.remember.facts",
            "self.output.password",
            id="S749-fact",
        ),
        pytest.param(
            marked(remember={"facts": [{"text": "${inputs.password}"}]}),
            "nodes.a.remember.facts",
            "inputs.password",
            id="S749-input-in-a-fact",
        ),
    ],
)
def test_marked_values_are_not_remembered(raw: JsonObject, place: str, path: str) -> None:
    says = f"{place}: reads {path}, which a schema marks with x-waypost-sensitive; such values "
    assert [one for one in problems(raw) if one.startswith(says)], problems(raw)


def test_s749_what_is_not_marked_is_remembered() -> None:
    facts = {"facts": "${self.output.facts}"}
    remember = {"n": "${nodes.a.output.n}", "all": "${nodes.a.output}"}
    assert problems(marked({"remember": remember}, remember=facts)) == []


def test_s749_a_fact_has_no_marked_value() -> None:
    found = problems(marked({"factSchema": HIDDEN}))
    assert found == [
        "memory.factSchema: marks a value with x-waypost-sensitive, and facts are kept; remove "
        "the value or the mark"
    ]
