"""S633: two attempts are compared by what is known of both, and what is not known is said."""

from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define
from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson
from waypost.views.documents import AttemptsDifference, NodeIo
from waypost.views.errors import CannotShow
from waypost.views.io import node_io
from waypost.views.run.attempts import attempts_difference, chosen
from waypost.views.run.describe import run_view

from tests.support.builders import NOW, python, spec
from tests.support.harness import World
from tests.support.virtual import virtual
from tests.unit.views.objects import at, body
from tests.unit.views.test_parts import Ended

GIVEN = {"text": "hello"}
OUTPUT = {"words": ["a", "b"], "count": 2}


def tried(number: int, reason: str, *, round_: int = 1) -> dict[str, Any]:
    times = {"launchedAt": at(number), "startedAt": at(number), "finishedAt": at(number + 1)}
    return {"number": number, "job": "j", "reason": reason, "round": round_, **times}


def run(*attempts: dict[str, Any]) -> JsonObject:
    status: dict[str, Any] = {"path": "a", "phase": "Succeeded", "attempt": len(attempts)}
    status |= {"attempts": list(attempts), "inputDigest": ijson.digest(GIVEN)}
    status |= {"output": OUTPUT, "outputDigest": ijson.digest(OUTPUT)}
    return body(python("a", inputs=dict(GIVEN)), status={"nodes": [status]})


def record(found: JsonObject, type_: Any, attempt: int, value: JsonValue, *, of: int = 0) -> Any:
    """The NodeRecord of an attempt; `of` names another one."""
    metadata: Any = found["metadata"]
    name, uid = metadata["name"], metadata["uid"]
    ref = AttemptRef(name, uid, "a", 1, of or attempt)
    form = node_records.form_of(value, ijson.canonical(value))
    assert form is not None
    made = node_records.manifest(
        type_,
        ref,
        digest=ijson.digest(value),
        size=len(ijson.canonical(value)),
        form=form,
        owner={"uid": uid, "controller": True},
        namespace="d",
    )
    made_name = AttemptRef(name, uid, "a", 1, attempt).record_name(type_)
    return {**made, "metadata": {**made["metadata"], "name": made_name}}


def compared(found: JsonObject, *numbers: int, records: Any = ()) -> AttemptsDifference:
    shown, known = run_view(found, now=NOW), define(found["spec"])
    pair = chosen(shown, "a", numbers)
    first, second = (node_io(found, known, one.path, records={}, now=NOW) for one in pair)
    stored = {one["metadata"]["name"]: one for one in records}
    return attempts_difference(shown, "a", pair, ios=(first, second), records=stored)


def test_s633_a_retry_of_one_round() -> None:
    found = compared(run(tried(1, "NodeError"), tried(2, "Succeeded")))
    assert [one.number for one in found.attempts] == [1, 2]
    assert (found.inputs, found.inputs_note) == ([], None), "a round has one set of inputs"
    assert found.output_note == "attempt 1 failed (NodeError) and has no output"


def test_s633_two_rounds_without_records() -> None:
    found = compared(run(tried(1, "Succeeded"), tried(2, "Succeeded", round_=2)))
    for note in (found.inputs_note, found.output_note):
        assert note is not None
        assert "of round 1 only large values are kept" in note
    assert found.inputs == found.output == []


def test_s633_two_rounds_with_records() -> None:
    both = run(tried(1, "Succeeded"), tried(2, "Succeeded", round_=2))
    records = [
        record(both, "Input", 1, {"text": "good morning"}),
        record(both, "Result", 1, {"words": ["a"], "count": 1}),
    ]
    found = compared(both, records=records)
    assert (found.inputs_note, found.output_note) == (None, None)
    assert [(one.path, one.before, one.after) for one in found.inputs] == [
        ("text", '"good morning"', '"hello"')
    ]
    assert {one.path for one in found.output} == {"words[1]", "count"}


def test_s633_a_record_of_another_attempt_is_not_believed() -> None:
    both = run(tried(1, "Succeeded"), tried(2, "Succeeded", round_=2))
    found = compared(both, records=[record(both, "Result", 1, {"count": 9}, of=7)])
    assert found.output == []
    assert "belongs to another attempt" in str(found.output_note)


def test_s633_which_attempts() -> None:
    three = run(tried(1, "NodeError"), tried(2, "NodeError"), tried(3, "Succeeded"))
    assert [one.number for one in compared(three).attempts] == [2, 3]
    assert [one.number for one in compared(three, 3, 1).attempts] == [1, 3]


@pytest.mark.parametrize("numbers", [(1, 1), (1, 9), (1,)], ids=["same", "unknown", "one"])
def test_s633_attempts_that_are_not_there(numbers: tuple[int, ...]) -> None:
    with pytest.raises(CannotShow, match="expected two attempts of a; the status has 1, 2"):
        compared(run(tried(1, "NodeError"), tried(2, "Succeeded")), *numbers)


def test_s633_no_such_node() -> None:
    with pytest.raises(CannotShow, match="no node 'a/0' in the status"):
        chosen(run_view(run(tried(1, "NodeError")), now=NOW), "a/0", ())


@virtual
async def test_s633_two_iterations() -> None:
    """What the operator recorded of each is compared."""

    def next_one(pod: Any) -> Any:
        return pod.succeeds({"n": pod.inputs["n"] + 1, "kind": "number"})

    async with World(script={f"loop/{number}": [next_one] for number in range(3)}) as world:
        world.start()
        inputs = {"n": "${previous.?output.?n.orValue(0)}"}
        node = python("loop", repeat={"until": "${self.output.n > 2}", "max": 5}, inputs=inputs)
        await world.submit(spec(node))
        await world.finished()
        ended = Ended(world)
    shown = run_view(ended.run, now=NOW)
    pair = chosen(shown, "loop", (1, 3))
    assert [one.path for one in pair] == ["loop/0", "loop/2"]
    first, second = (NodeIo.model_validate(ended.io(one.path)) for one in pair)
    wanted = {name for one in pair for name in one.records}
    stored = {name: one for name, one in ended.records.items() if name in wanted}
    found = attempts_difference(shown, "loop", pair, ios=(first, second), records=stored)
    assert [(one.path, one.before, one.after) for one in found.inputs] == [("n", "0", "2")]
    assert [(one.path, one.before, one.after) for one in found.output] == [("n", "1", "3")]
    assert (found.inputs_note, found.output_note) == (None, None)
