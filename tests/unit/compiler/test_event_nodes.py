"""Kind event: what the compiler accepts, refuses and types."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import python, spec
from tests.support.events import waits

SHAPE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def problems(*nodes: Any, **fields: Any) -> list[str]:
    return [f"{one.field}: {one.message}" for one in define(spec(*nodes, **fields)).problems]


def reads(expression: str) -> Any:
    return python("use", inputs={"x": "${" + expression + "}"})


@pytest.mark.parametrize(
    ("block", "expression", "says"),
    [
        ({}, "nodes.paid.output.payload.anything", ""),
        ({}, "nodes.paid.output.name + nodes.paid.output.id + nodes.paid.output.receivedAt", ""),
        ({"schema": SHAPE}, "nodes.paid.output.payload.n + 1", ""),
        ({"schema": SHAPE}, "nodes.paid.output.payload.m", "has no 'm'"),
        ({"schema": SHAPE}, "nodes.paid.output.payload.n + 'x'", "integer, string"),
        ({}, "nodes.paid.output.expired", "has no 'expired'"),
        ({}, "nodes.paid.output.data", "has no 'data'"),
        ({"timeout": "1m", "onTimeout": "Continue"}, "nodes.paid.output.expired", ""),
        ({"timeout": "1m", "onTimeout": "Continue"}, "nodes.paid.output.?name.orValue('')", ""),
    ],
)
def test_its_output_is_typed(block: Any, expression: str, says: str) -> None:
    """S647, S648"""
    found = problems(waits("paid", **block), reads(expression))
    assert len(found) == (1 if says else 0), found
    assert says in "".join(found)


def test_what_a_timeout_leaves_out_is_optional() -> None:
    """S647"""
    node = waits("paid", timeout="1m", onTimeout="Continue")
    (warning,) = define(spec(node, reads("nodes.paid.output.name"))).warnings
    assert "nodes.paid.output.name may be absent" in warning.message


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (waits("paid", "a", "a"), "lists a twice"),
        (waits("paid", onTimeout="Fail"), "no effect without timeout"),
        ({**waits("paid"), "outputSchema": {}}, "event.schema"),
        ({**waits("paid"), "forEach": {"items": "${[1]}"}}, "in a workflow node with forEach"),
        ({**waits("paid"), "repeat": {"until": "${true}", "max": 2}}, "event.names"),
        ({**waits("paid"), "concurrency": {"key": "k"}}, "limit the node after it"),
        (waits("paid", "two words"), "event.names"),
        (waits("paid", timeout="0s"), "longer than 0s"),
        (waits("paid", key="${nodes.nobody.output}"), "nobody"),
    ],
)
def test_what_is_refused(node: Any, says: str) -> None:
    found = problems(node)
    assert found, "it is refused"
    assert says in "\n".join(found)


def test_it_is_refused_in_finally() -> None:
    (found, *_) = problems(python("a"), **{"finally": [waits("paid")]})
    assert "a clean-up waits for nobody" in found


def test_it_may_be_a_candidate_of_first() -> None:
    limit = {"name": "limit", "wait": {"duration": "1h"}}
    choice = {"name": "best", "first": {"of": ["paid", "limit"]}}
    assert problems(waits("paid", key="1"), limit, choice) == []


def test_a_longer_timeout_does_not_repeat_the_node() -> None:
    before = define(spec(waits("paid", key="1", timeout="1m"))).fingerprints
    later = define(spec(waits("paid", key="1", timeout="2m"))).fingerprints
    other = define(spec(waits("paid", "b", key="1", timeout="1m"))).fingerprints
    assert before == later
    assert before != other
