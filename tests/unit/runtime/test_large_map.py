"""A map of many items under trouble: what it costs, and that order and counts stay right.

Figures are printed; docs/performance.md has them.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import python
from tests.support.harness import Operator, World
from tests.support.virtual import virtual

LARGEST_RUN = 256 * 1024
WRITES_PER_ITEM = 3.3
LARGEST_TOTAL = 12_000_000  # bytes of runs and NodeRecords
EVERY_FAILS = 100  # of so many items one fails
EVERY_RETRIED = 50  # of so many items one fails once
PADDING = "x" * 1000  # of an output


@dataclass
class Stored:
    """What the API server stored, in bytes by kind."""

    largest_run: int = 0
    bytes: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)

    def take(self, kind: Kind, change: str, body: Obj) -> None:
        if change == "DELETED":
            return
        size = len(json.dumps(body, separators=(",", ":")).encode())
        self.bytes[kind.kind] += size
        self.objects[kind.kind] += 1
        if kind is Kind.AGENT_WORKFLOW:
            self.largest_run = max(self.largest_run, size)


def program(pod: PodView) -> Outcome:
    """One item of a hundred fails, one of fifty fails once; the first of a few ends last."""
    at = pod.inputs["at"]
    if at % EVERY_FAILS == EVERY_FAILS - 1:
        return pod.fails("cannot be read", seconds=1)
    if at % EVERY_RETRIED == 0 and pod.attempt == 1:
        return pod.fails("busy", seconds=1)
    return pod.succeeds({"at": at, "text": PADDING}, seconds=3 - at % 3)


def spec_of(total: int) -> Obj:
    scan = python(
        "scan",
        inputs={"at": "${item}"},
        forEach={"items": "${inputs.list}", "maxParallel": 20, "tolerate": "2%"},
        retry={"limit": 1, "reasons": ["NodeError"], "backoff": {"initial": "1s"}},
        outputSchema={
            "type": "object",
            "required": ["at", "text"],
            "properties": {"at": {"type": "integer"}, "text": {"type": "string"}},
        },
    )
    return {
        "inputs": {"list": list(range(total))},
        "nodes": [scan],
        "parallelism": 20,
        "outputs": {"seen": "${nodes.scan.output.map(x, x == null ? -1 : x.at)}"},
    }


def expected(total: int) -> list[int]:
    return [-1 if at % EVERY_FAILS == EVERY_FAILS - 1 else at for at in range(total)]


async def killed_at(world: World, operator: Operator, items: int) -> Operator:
    """The operator dies when so many items have begun; another one starts."""
    await world.until(
        lambda: len({e.path for e in world.ledger.executions}) >= items,
        f"{items} items have begun",
    )
    operator.die()
    return world.start()


@virtual
@pytest.mark.parametrize(
    "total",
    [pytest.param(120, id="120"), pytest.param(1000, id="1000", marks=pytest.mark.nightly)],
)
async def test_s172_s176_the_cost_of_a_large_map(total: int) -> None:
    stored = Stored()
    async with World(script={"scan": [program]}) as world:
        world.cluster.server.storage.listeners.append(stored.take)
        operator = world.start()
        await world.submit(spec_of(total))
        for items in (total // 4, total // 2, total * 3 // 4):
            operator = await killed_at(world, operator, items)
        status = await world.finished()
        assert status["outputs"]["seen"] == expected(total)
        counts = world.node("scan")["items"]
        failed = total // EVERY_FAILS
        assert (counts["total"], counts["succeeded"]) == (total, total - failed)
        starts = Counter((e.path, e.attempt) for e in world.ledger.executions)
        assert set(starts.values()) == {1}, "no program has started twice"
        writes = sum(len(each.line.writes()) for each in world.operators)
        attempts = len(starts)
        print(_figures(total, stored, writes=writes, attempts=attempts))
        assert stored.largest_run <= LARGEST_RUN
        assert writes <= WRITES_PER_ITEM * attempts
        kept = stored.bytes["AgentWorkflow"] + stored.bytes["NodeRecord"]
        assert kept <= LARGEST_TOTAL * total / 1000 + 200_000
        await _one_item_again(world, total)


def alone(pod: PodView) -> Outcome:
    """Each item ends alone: the next one begins when it has ended."""
    return pod.succeeds({"at": pod.inputs["at"], "text": PADDING}, seconds=5)


@virtual
@pytest.mark.parametrize(
    "total",
    [pytest.param(120, id="120"), pytest.param(1000, id="1000", marks=pytest.mark.nightly)],
)
async def test_s530_the_cost_of_a_slow_map(total: int) -> None:
    """No two items end in one write, so that each costs a write of the whole run."""
    stored = Stored()
    async with World(script={"scan": [alone]}) as world:
        world.cluster.server.storage.listeners.append(stored.take)
        world.start()
        spec = spec_of(total)
        spec["nodes"][0]["forEach"]["maxParallel"] = 1
        await world.submit(spec)
        status = await world.finished(within=20.0 * total)
        assert status["outputs"]["seen"] == list(range(total))
        writes = sum(len(each.line.writes()) for each in world.operators)
        print(_figures(total, stored, writes=writes, attempts=total))
        kept = stored.bytes["AgentWorkflow"] + stored.bytes["NodeRecord"]
        assert stored.objects["AgentWorkflow"] >= total
        shorter = 4 * (1000 - total)  # bytes of the list, which each write has
        assert kept <= (LARGEST_TOTAL / 1000 - shorter) * total
        assert writes <= WRITES_PER_ITEM * total


async def _one_item_again(world: World, total: int) -> None:
    """In a new round whose list has one other item, only that one and those that failed run."""
    before = len(world.ledger.executions)
    values: list[Any] = list(range(total))
    values[7] = total + 7
    failed = total // EVERY_FAILS
    await world.patch_run({"inputs": {"list": values}, "rerun": {"round": 2}})
    await world.until(
        lambda: world.status().get("round") == 2 and world.is_finished(), "the second round ends"
    )
    again = {e.path for e in world.ledger.executions[before:]}
    failing = {f"scan/{at}" for at in range(EVERY_FAILS - 1, total, EVERY_FAILS)}
    assert again == {"scan/7", *failing}
    assert len(failing) == failed


def _figures(total: int, stored: Stored, *, writes: int, attempts: int) -> str:
    parts = ", ".join(
        f"{kind} {stored.objects[kind]} writes {stored.bytes[kind]} bytes"
        for kind in sorted(stored.bytes)
    )
    return (
        f"\nmap of {total} items, {attempts} attempts: largest run {stored.largest_run} bytes, "
        f"operator writes {writes} ({writes / total:.2f} an item, {writes / attempts:.2f} an "
        f"attempt); {parts}"
    )


@virtual
async def test_s90_items_with_large_inputs_cost_a_config_map_each() -> None:
    """Inputs above 8 KiB do not fit the annotations of a pod."""
    total, text = 100, "x" * 9000
    stored = Stored()
    fields = {"at": "${item}", "text": "${inputs.text}"}
    large = {**spec_of(total), "inputs": {"list": list(range(total)), "text": text}}
    large["nodes"][0] = {**large["nodes"][0], "inputs": fields}
    async with World(script={"scan": [program] * 2 * total}) as world:
        world.cluster.server.storage.listeners.insert(0, stored.take)
        operator = world.start()
        await world.submit(large)
        status = await world.finished(within=900)
        assert status["phase"] == "Succeeded"
        attempts = len(world.ledger.executions)
        given = [pod.inputs["text"] for pod in world.work.pods()]
        assert set(given) <= {text}
        assert stored.objects["ConfigMap"] == attempts, "one for each attempt"
        writes = [c for c in operator.line.writes() if c.kind is not Kind.EVENT]
        assert len(writes) / attempts <= WRITES_PER_ITEM + 1, len(writes) / attempts
