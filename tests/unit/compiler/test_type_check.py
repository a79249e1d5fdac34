"""Typed edges (S20, S21, S22, S23): wrong workflows with their message, right and doubtful ones."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import Definition, define
from waypost.engine.state.observed import Observed

from tests.support import builders
from tests.support.builders import python, spec
from tests.support.play import Play
from tests.typed_edges import (
    CHOICES_DOUBTFUL,
    CHOICES_RIGHT,
    DOUBTFUL,
    LOOPS_RIGHT,
    RIGHT,
    WRONG,
    Wrong,
)
from tests.typed_edges.words import OPTIONAL_TEXT, TEXT, WHOLE, gives, shape, takes


def test_there_are_enough() -> None:
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 40


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_is_refused_with_its_message(wrong: Wrong) -> None:
    problems = define(wrong.spec).problems
    assert problems, "it must not be accepted"
    assert str(problems[0]) == wrong.says
    assert {problem.severity for problem in problems} == {"error"}


@pytest.mark.parametrize("right", RIGHT.values(), ids=RIGHT)
def test_right_is_neither_refused_nor_doubted(right: JsonObject) -> None:
    definition = define(right)
    assert not definition.problems
    assert not [w for w in definition.warnings if "has no outputSchema" not in w.message]


@pytest.mark.parametrize("right", LOOPS_RIGHT.values(), ids=LOOPS_RIGHT)
def test_s140_right_loops_have_right_types(right: JsonObject) -> None:
    """S141 too: guarded uses of `previous` are accepted."""
    definition = define(right)
    assert not definition.problems
    assert not [w for w in definition.warnings if "has no outputSchema" not in w.message]


@pytest.mark.parametrize(
    ("of", "field"),
    [
        pytest.param(["a"], "nodes[0].first.of", id="too-few"),
        pytest.param([f"n{at}" for at in range(21)], "nodes[0].first.of", id="too-many"),
        pytest.param(["a", "a"], "nodes.best.first.of", id="twice"),
    ],
)
def test_s236_candidates_are_two_to_twenty(of: list[str], field: str) -> None:
    """The rest of it stands in WRONG."""
    nodes = [python(name) for name in dict.fromkeys(of)]
    definition = define(spec({"name": "best", "first": {"of": of}}, *nodes))
    assert definition.problems[0].field == field


@pytest.mark.parametrize("right", CHOICES_RIGHT.values(), ids=CHOICES_RIGHT)
def test_s235_right_choices_have_right_types(right: JsonObject) -> None:
    definition = define(right)
    assert not definition.problems
    assert not definition.warnings


@pytest.mark.parametrize("doubtful", CHOICES_DOUBTFUL.values(), ids=CHOICES_DOUBTFUL)
def test_s235_doubtful_choices_are_accepted_with_a_warning(doubtful: Wrong) -> None:
    definition = define(doubtful.spec)
    assert not definition.problems
    assert [str(warning) for warning in definition.warnings] == [doubtful.says]


@pytest.mark.parametrize("doubtful", DOUBTFUL.values(), ids=DOUBTFUL)
def test_doubtful_is_accepted_with_a_warning(doubtful: Wrong) -> None:
    definition = define(doubtful.spec)
    assert not definition.problems
    assert str(definition.warnings[0]) == doubtful.says
    assert {problem.severity for problem in definition.warnings} == {"warning"}


def test_a_warning_stands_in_the_accepted_condition() -> None:
    doubtful = DOUBTFUL["number-for-integer"]
    play = Play(doubtful.spec)
    play.step()
    status, reason, message = play.condition("Accepted")
    assert (status, reason) == ("True", "Accepted")
    assert message == f"the spec is valid. warning: {doubtful.says}"


def test_many_warnings_are_counted() -> None:
    nodes = [
        python(f"b{n}", inputs={"v": "${nodes.a.output.v}"}, inputSchema=shape(v=WHOLE))
        for n in range(30)
    ]
    raw = spec(gives(v={"type": "number"}), *nodes)
    play = Play(raw)
    play.step()
    message = play.condition("Accepted")[2]
    assert message.count("warning:") == 5
    assert message.endswith("5 more warnings: `waypost lint` lists them")


def test_every_wrong_edge_is_named() -> None:
    raw = spec(
        gives(title=TEXT, note=OPTIONAL_TEXT),
        takes("${nodes.a.output.title}", WHOLE, when="${nodes.a.output.titel == 'x'}"),
        python("c", inputs={"v": "${nodes.a.output.note}"}, inputSchema=shape(v=TEXT)),
    )
    fields = [problem.field for problem in define(raw).problems]
    assert fields == ["nodes.b.inputs.v", "nodes.b.when", "nodes.c.inputs.v"]


def accepted(definition: Definition) -> Observed:
    """A run of this definition that an earlier release accepted."""
    status = Play(spec(python("a"))).step().status
    seen = builders.observed(spec(python("a")), status=status)
    return replace(seen, definition=definition)


@pytest.mark.parametrize(
    ("id", "stops"),
    [
        pytest.param("type-text-for-number", False, id="types-of-a-later-release"),
        pytest.param("cycle", True, id="a-graph-that-cannot-run"),
    ],
)
def test_s24_a_run_that_was_accepted_goes_on(id: str, stops: bool) -> None:
    definition = define(WRONG[id].spec)
    seen = accepted(definition)
    assert definition.stops(seen.status) is stops
    assert definition.stops(builders.observed(spec(python("a"))).status), "a new one is refused"


LATER_RULES = [
    pytest.param({"container": {"image": "i", "args": ["echo ${1}"]}}, id="constant-in-args"),
    pytest.param(
        {"agent": {"model": {"provider": "p", "name": "${x}"}, "prompt": "go"}}, id="unevaluated"
    ),
]


TWICE = {"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x", "type": "null"}}}
LATER_RULES += [
    pytest.param(
        {"container": {"image": "i"}, "inputSchema": TWICE, "inputs": {"v": 1}}, id="anchor-twice"
    )
]


@pytest.mark.parametrize("work", LATER_RULES)
def test_s24_rules_of_a_later_release_stop_no_accepted_run(work: dict[str, Any]) -> None:
    definition = define(spec({"name": "a", **work}))
    assert definition.problems, "a new run is refused"
    assert not definition.stops(accepted(definition).status)
    assert definition.graph.order == ("a",)


def test_hostile_schemas_come_to_an_end() -> None:
    branches = [{"type": "array", "items": {"$ref": "#/$defs/D"}} for _ in range(60)]
    names = [f"p{n}" for n in range(100)]
    given = {
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/D"} for name in names},
        "$defs": {"D": {"anyOf": branches}},
    }
    taken = {
        "properties": {"v": {"properties": {name: {"$ref": "#/$defs/D"} for name in names}}},
        "$defs": {"D": {"oneOf": branches}},
    }
    b = python("b", inputs={"v": "${nodes.a.output}"}, inputSchema=taken)
    definition = define(spec(python("a", outputSchema=given), b))
    assert not definition.problems
    assert any("too large to compare" in warning.message for warning in definition.warnings)


SIZE: JsonObject = {"properties": {"size": {"type": "integer", "default": 3}}}


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        pytest.param(
            {"anyOf": [SIZE, {"required": ["width"]}]},
            "the default 3 (integer) of 'size' is below anyOf, where the value decides what "
            "applies, so it is never filled in; write this property with its default beside anyOf",
            id="any-of",
        ),
        pytest.param(
            {"properties": {"box": {"oneOf": [{"$ref": "#/$defs/Box"}, {"type": "null"}]}},
             "$defs": {"Box": SIZE}},
            "the default 3 (integer) of 'box.size' is below oneOf",
            id="optional-model",
        ),
        pytest.param(
            {"if": {"required": ["wide"]}, "then": SIZE}, "of 'size' is below then", id="then"
        ),
        pytest.param(
            {"patternProperties": {"^n_": {"default": 0}}},
            "the default 0 (integer) of '^n_' is below patternProperties, so it is never filled "
            "in; write it in properties, by the name of the property",
            id="pattern",
        ),
        pytest.param(
            {"properties": {"l": {"type": "array", "items": {"default": 1}}}},
            "the default 1 (integer) is never filled in: only missing properties are",
            id="item",
        ),
    ],
)  # fmt: skip
def test_s526_a_default_of_inputs_that_is_never_filled_in_is_a_warning(
    declared: JsonObject, says: str
) -> None:
    of_run = define(spec(python("a"), inputSchema=declared))
    of_node = define(spec(python("a", inputSchema=declared)))
    for definition in (of_run, of_node):
        assert not definition.problems
        [warning] = [w for w in definition.warnings if "never filled in" in w.message]
        assert warning.field.endswith("inputSchema")
        assert says in warning.message
    outputs = define(spec(python("a", outputSchema=declared))).warnings
    assert not any("filled in" in each.message for each in outputs), "a note for readers"


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        pytest.param(
            {"properties": {"m": {"enum": ["fast", "slow"], "default": "medium"}}},
            "the default 'medium' (string) does not meet its own schema",
            id="default-that-is-not-listed",
        ),
        pytest.param(
            {"properties": {"m": {"$ref": "#/$defs/d", "default": 1}}, "$defs": {"d": TEXT}},
            "the default 1 (integer) does not meet",
            id="default-beside-a-reference",
        ),
        pytest.param({"properties": {"m": {**TEXT, "nullable": True}}}, "'null'", id="nullable"),
        pytest.param(
            {"properties": {"m": {**TEXT, "maxLenght": 3}}},
            "there is no keyword 'maxLenght'; did you mean 'maxLength'?",
            id="misspelt",
        ),
        pytest.param({"items": {}, "additionalItems": {}}, "prefixItems", id="other-draft"),
        pytest.param(
            {**TEXT, "$schema": "http://json-schema.org/draft-07/schema#"},
            "$schema 'http://json-schema.org/draft-07/schema#' has no effect: every schema is read",
            id="named-draft",
        ),
        pytest.param({"$recursiveRef": "#"}, "write $dynamicRef", id="reference-of-another-draft"),
    ],
)
def test_odd_schemas_are_accepted_with_a_warning(declared: JsonObject, says: str) -> None:
    definition = define(spec(python("a", outputSchema=declared)))
    assert not definition.problems
    assert [w for w in definition.warnings if says in w.message]


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"properties": {"m": {"default": {"n": 1}}}}, id="fits"),
        pytest.param({"properties": {"nullable": TEXT, "maxLenght": TEXT}}, id="names"),
        pytest.param({**TEXT, "x-order": 1, "": "see the wiki"}, id="extensions"),
        pytest.param({**TEXT, "nullable": False}, id="not-nullable"),
        pytest.param(
            {**TEXT, "$schema": "https://json-schema.org/draft/2020-12/schema"}, id="our-draft"
        ),
    ],
)
def test_usual_schemas_are_not_odd(declared: JsonObject) -> None:
    assert not define(spec(python("a", outputSchema=declared))).warnings


LOOSE = {"type": "object", "properties": {"x": TEXT}}


@pytest.mark.parametrize(
    "b",
    [
        pytest.param({"dependsOn": ["a"]}, id="needed"),
        pytest.param({"after": ["a"]}, id="said"),
        pytest.param({"inputs": {"v": "${nodes.a.?output.?x}"}}, id="whole-output-guarded"),
        pytest.param(
            {"inputs": {"v": "${nodes.a.output.?x}", "p": "${nodes.a.phase}"}}, id="phase"
        ),
    ],
)
def test_a_join_that_is_meant_to_be_soft_is_no_surprise(b: JsonObject) -> None:
    wanted = {"inputs": {"v": "${nodes.a.output.?x}"}, **b}
    a = python("a", when="${inputs.go}", outputSchema=LOOSE)
    definition = define(spec(a, python("b", **wanted), inputs={"go": True}))
    assert not definition.problems
    assert not [w for w in definition.warnings if "runs also when" in w.message]


def test_a_node_that_always_gives_an_output_makes_no_surprise() -> None:
    reader = python("b", inputs={"v": "${nodes.a.output.?x}"})
    definition = define(spec(python("a", outputSchema=LOOSE), reader))
    assert not definition.problems
    assert not definition.warnings


def test_s148_the_index_of_a_loop_may_exceed_max_in_a_later_round() -> None:
    takes_second = {"type": "object", "properties": {"at": {"type": "integer", "minimum": 1}}}
    loop = {"until": "${true}", "max": 1}
    node = python("a", repeat=loop, inputs={"at": "${index}"}, inputSchema=takes_second)
    definition = define(spec(node))
    assert not definition.problems, "with max: 1, the second iteration is in the next round"
    assert "not proven" in str(definition.warnings[0])
