"""Branches on one listed value that overlap in part, or leave a value out (S350)."""

import pytest
from waypost.compiler.definition import define
from waypost.ports.cluster import Obj

from tests.support.builders import python, spec

KIND = {
    "type": "object",
    "required": ["kind", "text"],
    "properties": {"kind": {"enum": ["bug", "idea", "spam"]}, "text": {"type": "string"}},
}


def branches(*conditions: str) -> Obj:
    """A spec whose nodes run on these conditions about `kind`, k for short."""
    nodes = [
        python(f"b{at}", when="${" + text.replace("k", "nodes.triage.output.kind") + "}")
        for at, text in enumerate(conditions)
    ]
    return spec(python("triage", outputSchema=KIND), *nodes)


PATH = "nodes.triage.output.kind"
TABLE = [
    pytest.param(("k == 'bug'", "k == 'idea'", "k == 'spam'"), [], id="S350-each-once"),
    pytest.param(("k == 'bug'", "k in ['idea', 'spam']"), [], id="S350-a-list"),
    pytest.param(("k == 'bug'", "k != 'bug'"), [], id="S350-all-others"),
    pytest.param(("k == 'bug'", "!(k == 'bug')"), [], id="S350-not"),
    pytest.param(("'bug' == k", "k == 'idea' || k == 'spam'"), [], id="S350-or"),
    pytest.param(("k == 'bug'",), [], id="S350-a-single-condition-is-no-branch"),
    pytest.param(("k == 'bug'", "k == 'bug'"), [], id="S350-one-branch-of-two-nodes"),
    pytest.param(
        ("k == 'bug'", "k == 'idea'"),
        [("nodes.b1.when", f"no node runs if {PATH} is 'spam'")],
        id="S350-left-out",
    ),
    pytest.param(
        ("k == 'bug'", "k in ['bug', 'idea']", "k == 'spam'"),
        [("nodes.b1.when", f"b0 runs too if {PATH} is 'bug'")],
        id="S350-overlap",
    ),
    pytest.param(
        ("k != 'bug'", "k != 'idea'"),
        [("nodes.b1.when", f"b0 runs too if {PATH} is 'spam'")],
        id="S350-overlap-of-all-others",
    ),
    pytest.param(("k == 'bug' && 1 == 1", "k == 'idea'"), [], id="S350-another-form"),
]


@pytest.mark.parametrize(("conditions", "expected"), TABLE)
def test_branches(conditions: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    definition = define(branches(*conditions))
    assert definition.problems == ()
    found = [(one.field, one.message) for one in definition.warnings]
    assert len(found) == len(expected), found
    for (field, message), (place, says) in zip(found, expected, strict=True):
        assert field == place
        assert message.startswith(says)


def test_s350_a_value_without_a_list_is_not_judged() -> None:
    raw = branches("k == 'bug'", "k == 'idea'")
    text = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
    raw["nodes"][0] = python("triage", outputSchema=text)
    assert define(raw).warnings == ()
