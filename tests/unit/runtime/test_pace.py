"""How often the status of one run is written: a large one waits for more to record."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind
from waypost.runtime.cache.ingest import Ingest
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.pace import LONGEST, Pace

from tests.fakes.clock import ManualClock

UID = "7d3f7c9e-0000-4000-8000-000000000001"
KEY = Key("default", "brief", UID)


def run(size: int, *, version: int, generation: int = 1, observed: int = 1) -> dict[str, Any]:
    """A run whose cached body has about `size` bytes."""
    metadata = {
        "namespace": KEY.namespace,
        "name": KEY.name,
        "uid": UID,
        "resourceVersion": str(version),
        "generation": generation,
    }
    status = {"observedGeneration": observed, "text": "x" * size}
    return {"metadata": metadata, "spec": {}, "status": status}


class Writer:
    """Writes a run as fast as it may, for some seconds."""

    def __init__(self, size: int) -> None:
        self.clock = ManualClock()
        self.store = RunCache()
        self.pace = Pace(store=self.store, monotonic=self.clock.monotonic)
        self.size = size
        self.version = 0

    def write(self) -> None:
        self.version += 1
        self.store.put_run(run(self.size, version=self.version))
        self.pace.written(UID)

    def writes_in(self, seconds: float, *, every: float) -> int:
        """How often it was written, if there was something to write `every` so many seconds."""
        until, writes = self.clock.monotonic() + seconds, 0
        while self.clock.monotonic() < until:
            if self.pace.rest(UID) == 0:
                self.write()
                writes += 1
            self.clock.advance(every)
        return writes


@pytest.mark.parametrize(
    ("size", "every", "at_most", "at_least"),
    [
        pytest.param(4 * 1024, 0.5, 120, 120, id="small: never waits"),
        pytest.param(20 * 1024, 2.0, 30, 30, id="large, seldom written: never waits"),
        pytest.param(20 * 1024, 0.125, 106, 90, id="large, often: 32 KiB a second after the burst"),
        pytest.param(200 * 1024, 0.125, 62, 58, id="very large: once a second"),
    ],
)
def test_s320_how_often_a_run_is_written(
    size: int, every: float, at_most: int, at_least: int
) -> None:
    writes = Writer(size).writes_in(60, every=every)
    assert at_least <= writes <= at_most


def test_s320_a_run_waits_at_most_a_second() -> None:
    writer = Writer(250 * 1024)
    for _ in range(5):
        writer.write()
    assert writer.pace.rest(UID) == LONGEST


def test_s320_a_run_whose_spec_has_changed_does_not_wait() -> None:
    writer = Writer(250 * 1024)
    for _ in range(5):
        writer.write()
    writer.store.put_run(run(250 * 1024, version=9, generation=2))
    assert writer.pace.rest(UID) == 0, "it may have been cancelled"
    writer.store.put_run(run(250 * 1024, version=10, generation=2, observed=2))
    writer.pace.written(UID)
    assert writer.pace.rest(UID) == LONGEST


def approval(answered: bool) -> dict[str, Any]:
    question = {
        "run": KEY.name,
        "path": "ok",
        "subject": "gate",
        "message": "Go on?",
        "approvers": {"users": ["ann"]},
        "requestDigest": "sha256:1",
    }
    return {
        "metadata": {
            "namespace": KEY.namespace,
            "name": "brief-ok",
            "uid": "a",
            "resourceVersion": "20" if answered else "10",
            "labels": {"waypost.dev/run": UID},
        },
        "spec": {**question, **({"decision": "Approved"} if answered else {})},
    }


@pytest.mark.parametrize("answered", [False, True])
def test_s320_an_answer_to_an_approval_does_not_wait(answered: bool) -> None:
    writer = Writer(250 * 1024)
    for _ in range(5):
        writer.write()
    ingest = Ingest(store=writer.store, clock=writer.clock)
    taken = ingest.take(Kind.APPROVAL, approval(answered), deleted=False)
    assert taken == [KEY]
    assert writer.pace.rest(UID) == (0 if answered else LONGEST)


def test_nothing_is_kept_of_a_run_that_has_rested() -> None:
    writer = Writer(4 * 1024)
    writer.write()
    writer.clock.advance(60)
    writer.pace.written("another")
    assert UID not in writer.pace._accounts
