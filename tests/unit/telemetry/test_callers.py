"""The caller's trace: links from what started a run and from what delivered an event (S752), and
the pull of images (S753)."""

import asyncio
from typing import Any

import pytest
from waypost.adapters.metrics import Metrics
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.api import meta
from waypost.kube.facts.pods import PodFact, following, pod_fact
from waypost.kube.trace_ids import caller, span_id
from waypost.ports.cluster import Kind
from waypost.telemetry.endings import AttemptEnded
from waypost.telemetry.pulls import pull_span
from waypost.telemetry.spans import ended

from tests.support.builders import python, spec
from tests.support.events import EVENT, event, waits
from tests.support.harness import NAMESPACE, World, gives
from tests.support.virtual import virtual
from tests.unit.telemetry.test_memory import Kept
from tests.unit.telemetry.test_spans import at, attempt, observed, status, work

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"
NOTES = {meta.ANNOTATION_TRACEPARENT: GIVEN}


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        pytest.param(GIVEN, True, id="version-0"),
        pytest.param(f" {GIVEN}\n", True, id="with-spaces"),
        pytest.param(f"01-{TRACE}-{SPAN}-00-more", True, id="a-later-version"),
        pytest.param(f"{GIVEN}-more", False, id="too-much-for-version-0"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", False, id="no-version"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", False, id="no-trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", False, id="no-span"),
        pytest.param(GIVEN.upper(), False, id="upper-case"),
        pytest.param("", False, id="empty"),
    ],
)
def test_s752_what_counts_as_a_caller(given: str, valid: bool) -> None:
    assert caller(given) == ((TRACE, SPAN) if valid else None)


def links(tracer: Kept) -> dict[str, Any]:
    """The spans with a link, by name."""
    return {span.name: span.links for span in tracer.spans if span.links}


@virtual
async def test_s752_a_run_is_linked_to_what_started_it() -> None:
    tracer = Kept()
    async with World() as world:
        world.start(telemetry=OperatorTelemetry(metrics=Metrics(), tracer=tracer))
        await world.submit(spec(python("a")), name="called", annotations=NOTES)
        await world.submit(spec(python("a")), name="alone")
        for name in ("called", "alone"):
            seen = await world.finished(name)
            assert not [one for one in seen["conditions"] if "traceparent" in str(one)]
    assert links(tracer) == {"invoke_workflow called": ((TRACE, SPAN),)}
    roots = {span.trace_id for span in tracer.spans if span.name.startswith("invoke_workflow")}
    assert TRACE not in roots, "the run has its own trace"


@virtual
async def test_s752_an_event_node_is_linked_to_the_delivery() -> None:
    tracer = Kept()
    async with World() as world:
        world.start(telemetry=OperatorTelemetry(metrics=Metrics(), tracer=tracer))
        await world.submit(spec(waits("paid", key="42")))
        body = event("pay-1", key="42")
        body["metadata"]["annotations"] = NOTES
        await world.user.create(EVENT, namespace=NAMESPACE, body=body)
        await world.finished()
    assert links(tracer) == {"event paid": ((TRACE, SPAN),)}


LABELS = {meta.LABEL_RUN: "uid-1", meta.LABEL_NODE: "work", meta.LABEL_ATTEMPT: "1"}


def pod(sandbox: str, seconds: float, *, initialized: float = 0) -> PodFact:
    """A pod whose sandbox is ready, or not any more, since then."""
    conditions = [
        {"type": "Initialized", "status": "True", "lastTransitionTime": at(initialized)},
        {"type": meta.SANDBOX_READY, "status": sandbox, "lastTransitionTime": at(seconds)},
    ]
    found = pod_fact({"metadata": {"labels": LABELS}, "status": {"conditions": conditions}})
    assert found is not None
    return found


def test_s753_when_a_pod_was_prepared() -> None:
    first = pod("True", 2)
    assert first.prepared_at is not None
    assert following(pod("False", 9), first).prepared_at == first.prepared_at
    assert pod("False", 9).prepared_at is None
    later = pod("True", 2, initialized=5).prepared_at
    assert later is not None
    assert later > first.prepared_at, "init containers came between"


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        pytest.param({"preparedAt": at(1)}, 1.0, id="pulled"),
        pytest.param({"preparedAt": at(2)}, None, id="the-image-was-there"),
        pytest.param({}, None, id="not-known"),
        pytest.param({"preparedAt": at(1), "startedAt": None}, None, id="never-started"),
    ],
)
def test_s753_the_pull_is_a_span_of_its_attempt(
    times: dict[str, Any], seconds: float | None
) -> None:
    after = status(work(attempt(1, reason="NodeError", **times)))
    (fact,) = ended(observed(), status(work(attempt(1))), after)
    assert isinstance(fact, AttemptEnded)
    span = pull_span(observed(), fact)
    if seconds is None:
        assert span is None
        return
    assert span is not None
    assert (span.name, span.parent_id) == ("pull work", span_id("uid-1", "work", 1, 1))
    assert (span.end - span.start).total_seconds() == seconds


@virtual
async def test_s753_the_operator_keeps_when_a_pod_was_prepared() -> None:
    """The kubelet takes the condition back when the pod ends."""
    async with World(script={"a": [gives(1, seconds=60)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: _runs(world), "the program runs")
        (pod,) = world.all(Kind.POD)
        name = pod["metadata"]["name"]
        for sandbox, at_ in (("True", "08:59:58"), ("False", "08:59:59")):
            condition = {
                "type": meta.SANDBOX_READY,
                "status": sandbox,
                "lastTransitionTime": f"2026-03-01T{at_}Z",
            }

            def change(body: Any, one: Any = condition) -> None:
                others = body["status"].get("conditions", [])
                kept = [each for each in others if each["type"] != meta.SANDBOX_READY]
                body["status"]["conditions"] = [*kept, one]

            world.cluster.server.update(
                Kind.POD,
                namespace=NAMESPACE,
                name=name,
                change=change,
                subresource="status",
                by="kubelet",
            )
            await asyncio.sleep(5)
        await world.finished()
        (ended_,) = world.node("a")["attempts"]
        assert ended_["preparedAt"] == "2026-03-01T08:59:58.000Z"


def _runs(world: World) -> bool:
    return any(pod.get("status", {}).get("phase") == "Running" for pod in world.all(Kind.POD))
