"""A status of a newer release: this operator does nothing for its run, and says so."""

import pytest
from waypost.api import meta
from waypost.ports.cluster import Kind, PatchType

from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, RUN, World, gives, hangs
from tests.support.virtual import virtual


async def a_job_that_this_release_does_not_know(world: World) -> None:
    """As of an item of a fan-out: no node of the status has its path."""
    job = world.all(Kind.JOB)[0]
    known = job["metadata"]
    metadata = {
        "name": "brief-scan-3",
        "labels": known["labels"],
        "annotations": {**known["annotations"], meta.ANNOTATION_PATH: "scan/3"},
    }
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    body["spec"] = {"template": template}
    await world.user.create(Kind.JOB, namespace=NAMESPACE, body=body)


async def written_by_a_newer_release(world: World) -> None:
    """A newer operator has worked on the run and is gone."""
    version = {"op": "replace", "path": "/status/engineVersion", "value": 2}
    await world.user.patch(
        Kind.AGENT_WORKFLOW,
        namespace=NAMESPACE,
        name=RUN,
        body=[version],
        patch_type=PatchType.JSON,
        subresource="status",
    )


@virtual
async def test_nothing_is_written_stopped_released_or_swept() -> None:
    async with World(script={"a": [gives(1, seconds=30)], "b": [hangs()]}) as world:
        first = world.start()
        await world.submit(spec(python("a"), python("b", timeout="1m")))
        await world.until(lambda: len(world.ledger.executions) == 2, "both run")
        first.die()
        await written_by_a_newer_release(world)
        await a_job_that_this_release_does_not_know(world)
        before = world.status()
        second = world.start(sweep_seconds=30.0)
        await world.patch_run({"cancel": True})
        await world.quiet(600)
        writes = [call for call in second.line.writes() if call.kind is not Kind.EVENT]
        assert writes == []
        assert world.status() == before
        assert len(world.all(Kind.JOB)) == 3
        assert "NewerEngine" in [event["reason"] for event in world.all(Kind.EVENT)]
        assert second.controller.set_aside.count("NewerEngine") == 1


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
@virtual
async def test_its_run_can_be_deleted(policy: str) -> None:
    async with World(script={"a": [gives(1, seconds=30)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: len(world.ledger.executions) == 1, "it runs")
        await written_by_a_newer_release(world)
        await world.quiet(5)
        await world.delete(Kind.AGENT_WORKFLOW, RUN, propagation=policy)
        await world.until(lambda: not world.all(Kind.POD), "its pods are gone", within=300)
        assert operator.controller.set_aside.count("NewerEngine") == 0
