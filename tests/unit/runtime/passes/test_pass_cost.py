"""What a run costs: a pass does what has changed, however much has ended, and writes it once."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from waypost.api.status import AgentWorkflowStatus
from waypost.api.wire import write
from waypost.compiler.definition import define
from waypost.engine.decide import decide
from waypost.engine.run import status_size
from waypost.engine.state import visible
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import ijson
from waypost.runtime import deciding
from waypost.runtime.cache import parsed
from waypost.runtime.reads import definitions

from tests.support.builders import python
from tests.support.harness import World
from tests.support.virtual import virtual

FEW, MANY = 10, 60


def chain(size: int) -> Obj:
    inputs: list[object] = [0, *(f"${{nodes.n{at}.output}}" for at in range(size - 1))]
    return {"nodes": [python(f"n{at}", inputs={"n": given}) for at, given in enumerate(inputs)]}


def wide(size: int) -> Obj:
    return {"parallelism": 5, "nodes": [python(f"n{at}", inputs={"n": at}) for at in range(size)]}


class Counted:
    """How often the operator does what is expensive."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.found: Counter[str] = Counter()
        patch.setattr(write._node_wire, "_compute", self._counting("written", write._wire))
        for name, memo in (("size", status_size._node_size), ("output", visible.output_size)):
            patch.setattr(memo, "_compute", self._counting(name, memo._compute))
        patch.setattr(definitions, "define", self._counting("compiled", define))
        patch.setattr(deciding, "decide", self._counting("decided", decide))
        patch.setattr(parsed, "text_of", self._counting("bodies", parsed.text_of))
        patch.setattr(ijson, "canonical", self._counting("canonical", ijson.canonical))
        patch.setattr(json, "loads", self._counting("parsed", json.loads))
        read = AgentWorkflowStatus.model_validate

        def reading(raw: Obj) -> AgentWorkflowStatus:
            self.found["read"] += sum(isinstance(node, dict) for node in raw.get("nodes", ()))
            return read(raw)

        patch.setattr(AgentWorkflowStatus, "model_validate", staticmethod(reading))

    def _counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.found[name] += 1
            return call(*args, **kwargs)

        return counting


def counts(spec: Obj) -> Counter[str]:
    """What one run costs its operator."""
    with pytest.MonkeyPatch.context() as patch:
        counted = Counted(patch)

        @virtual
        async def play() -> None:
            async with World() as world:
                world.start()
                await world.submit(spec)
                assert (await world.finished())["phase"] == "Succeeded"

        play()
        return counted.found


@pytest.mark.parametrize("shape", [chain, wide])
def test_s800_what_a_node_costs_does_not_depend_on_how_many_have_ended(
    shape: Callable[[int], Obj],
) -> None:
    few, many = counts(shape(FEW)), counts(shape(MANY))
    assert set(many) >= {
        *("written", "size", "output", "compiled", "canonical", "read"),
        *("decided", "bodies"),
    }
    assert many["compiled"] == few["compiled"], "once for each generation"
    grown = {
        name: (few[name] / FEW, found / MANY)
        for name, found in many.items()
        if found / MANY > few[name] / FEW + 2
    }
    assert not grown


def test_s636_what_follows_the_end_of_a_pod_causes_no_pass() -> None:
    """A node has five: its pod is there, is bound, waits for its container, runs, and has ended.
    Its release, its phase and its last finalizer cause none."""
    assert counts(chain(MANY))["decided"] <= 5 * MANY


@pytest.mark.parametrize(
    ("spec", "statuses"),
    [
        pytest.param(chain(1), 2, id="one node"),
        pytest.param(chain(10), 11, id="a chain of 10"),
    ],
)
@virtual
async def test_s802_each_write_records_all_that_follows_from_what_happened(
    spec: Obj, statuses: int
) -> None:
    """Accepted and first launch are one write, so are a result and the next launch, and the last
    result and the end of the run."""
    nodes = len(spec["nodes"])
    async with World() as world:
        operator = world.start()
        await world.submit(spec)
        await world.finished()
        await world.quiet(600)
        made = Counter((call.verb, call.kind) for call in operator.line.writes())
        assert made == {
            ("patch_status", Kind.AGENT_WORKFLOW): statuses,
            ("create", Kind.JOB): nodes,
            ("patch", Kind.POD): nodes,
            ("create", Kind.EVENT): 1,
        }
