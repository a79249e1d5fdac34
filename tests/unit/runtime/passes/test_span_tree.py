"""The spans of a run form one tree, wherever the operator is killed (S589).

A collector receives what each process sends in batches; what a killed process has not sent is
lost. The next leader exports what ended shortly before it took over.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest
from waypost.adapters.metrics import Metrics
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.ports.cluster import Kind
from waypost.protocol import record as commit_record
from waypost.protocol.work import Trace
from waypost.telemetry import conventions
from waypost.telemetry.spans import SpanFact

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import agent, gate, python, spec
from tests.support.harness import Call, Operator, World, fails, gives
from tests.support.virtual import virtual
from tests.unit.runtime.cache.test_endpoint_cache import MAIN
from tests.unit.runtime.test_probe_controller import OK, make, says

BATCH_SECONDS = 1.0
RESTART_SECONDS = 2.0
PARTS = 4


class Batches:
    """A tracer that sends once a second, to a collector that outlives it."""

    def __init__(self, received: list[SpanFact]) -> None:
        self._received = received
        self._waiting: list[SpanFact] = []
        self.dead = False

    def emit(self, fact: SpanFact) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(BATCH_SECONDS, self._send)
        self._waiting.append(fact)

    def close(self) -> None:
        self._send()

    def _send(self) -> None:
        if not self.dead:
            self._received.extend(self._waiting)
        self._waiting = []


def thinks(pod: PodView) -> Outcome:
    """An agent that waits for its provider, asks twice and calls a tool."""
    done = pod.succeeds("thought")
    found = commit_record.parse(done.message)
    assert isinstance(found, commit_record.CommitRecord)
    trace = Trace()
    times = [f"2026-03-01T09:00:0{second}.000Z" for second in range(6)]
    trace.add("wait", start=times[0], end=times[1], reason="RateLimited: 429")
    trace.add("model", start=times[1], end=times[2], model="m", provider="main", inputTokens=7)
    trace.add("tool", start=times[2], end=times[3], name="look", outcome="ok")
    trace.add("reask", start=times[3], end=times[3])
    trace.add("model", start=times[3], end=times[4], model="m", provider="main", outputTokens=5)
    message = commit_record.encode(found._replace(trace=trace)).decode()
    return Outcome(message=message, seconds=done.seconds)


SCRIPT: dict[str, Any] = {
    "a": [gives(1)],
    "b": [fails(), gives([1, 2, 3])],
    "scan": [gives(0)],
    "think": [thinks],
    "end": [gives("done")],
    "": [says(OK)],
}
SPEC = spec(
    python("a"),
    python("b", retry={"limit": 1}, outputSchema={"type": "array"}),
    python("scan", forEach={"items": "${nodes.b.output}"}, inputs={"v": "${item}"}),
    agent("think", dependsOn=["a"]),
    gate("ask", dependsOn=["think", "scan"]),
    python("end", dependsOn=["ask"]),
)


async def play(
    world: World, start: Callable[[], Operator], received: list[SpanFact]
) -> list[SpanFact]:
    start()
    await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
    await world.submit(SPEC)
    await world.answer(decision="Approved")
    assert (await world.finished())["phase"] == "Succeeded", world.tell()
    await asyncio.sleep(30)
    return received


def started(world: World, received: list[SpanFact]) -> tuple[Operator, Batches]:
    tracer = Batches(received)
    telemetry = OperatorTelemetry(metrics=Metrics(), tracer=tracer)
    return world.start(replica=True, telemetry=telemetry), tracer


def judge(received: list[SpanFact]) -> dict[str, SpanFact]:
    """The spans by id: repeated ones are equal, one is the root, each other one has its parent."""
    by_id: dict[str, set[str]] = defaultdict(set)
    for span in received:
        by_id[span.span_id].add(repr(span))
    assert [texts for texts in by_id.values() if len(texts) > 1] == [], "one id, two contents"
    spans = {span.span_id: span for span in received}
    roots = [span.name for span in spans.values() if not span.parent_id]
    assert roots == ["invoke_workflow brief"]
    orphans = [s.name for s in spans.values() if s.parent_id and s.parent_id not in spans]
    assert orphans == []
    assert len({span.trace_id for span in spans.values()}) == 1
    return spans


@cache
def clean() -> tuple[frozenset[str], int]:
    """The names of the spans of an undisturbed run, and its number of writes."""
    found: list[tuple[frozenset[str], int]] = []

    @virtual
    async def run() -> None:
        received: list[SpanFact] = []
        async with World(script=SCRIPT) as world:
            operators: list[Operator] = []

            def start() -> Operator:
                operators.append(started(world, received)[0])
                return operators[-1]

            spans = judge(await play(world, start, received))
            assert len(received) == len(spans), "nothing is sent twice"
            writes = [call for call in operators[0].line.writes() if call.kind is not Kind.LEASE]
            found.append((frozenset(span.name for span in spans.values()), len(writes)))

    run()
    return found[0]


def test_an_undisturbed_run() -> None:
    """S589"""
    names, _ = clean()
    assert names == {
        *("invoke_workflow brief", "node a", "node b", "node scan/0", "node scan/1", "node scan/2"),
        *("node think", "invoke_agent think", "chat m", "execute_tool look"),
        *("approval ask", "node end"),
    }


def received_after_kill(number: int, *, after: bool) -> list[SpanFact]:
    """What a collector receives of a run whose first operator is killed at its `number`th write.

    Args:
        number: Of the write, from 1; writes of the Lease do not count.
        after: Whether the write is done before the operator is killed.
    """
    received: list[SpanFact] = []

    @virtual
    async def run() -> None:
        async with World(script=SCRIPT) as world:

            def start() -> Operator:
                operator, tracer = started(world, received)
                left = number

                async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
                    nonlocal left
                    left -= 1 if call.writes and call.kind is not Kind.LEASE else 0
                    if left or not call.writes or call.kind is Kind.LEASE:
                        return await send()
                    if after:
                        await send()
                    tracer.dead = True
                    operator.die()
                    world.helper(restart())
                    raise asyncio.CancelledError

                operator.line.intercept = intercept
                return operator

            async def restart() -> None:
                await asyncio.sleep(RESTART_SECONDS)
                started(world, received)

            await play(world, start, received)

    run()
    return received


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_each_write(part: int, after: bool) -> None:
    """S589: no orphans, no two contents of one id; tokens are not counted twice by id."""
    names, writes = clean()
    for number in range(1 + part, writes + 1, PARTS):
        spans = judge(received_after_kill(number, after=after))
        tokens = sum(
            value
            for span in spans.values()
            for name, value in span.attributes.items()
            if name in (conventions.INPUT_TOKENS, conventions.OUTPUT_TOKENS)
            and isinstance(value, int)
        )
        assert tokens == 12, number
        missing = names - {span.name for span in spans.values()}
        assert not {name for name in missing if not name.startswith("node scan/")}, number
