"""A soak starts all its runs, and returns when the last one has ended."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from e2e.chaos import soak
from e2e.chaos.faults import Reach
from e2e.chaos.shapes import SHAPES, Backdrop

Obj = dict[str, Any]
RUNS = 3


@dataclass
class Runs:
    """A namespace in which each run has ended when it is listed for the second time."""

    started: list[Obj] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)

    def start(self, run: Obj) -> None:
        self.started.append(run)

    def all(self, kind: str, *_: str) -> list[Obj]:
        if kind != "agentworkflows":
            return []
        for run in self.started:
            name = run["metadata"]["name"]
            if name in self.listed:
                shape = SHAPES[name.partition("-")[0]]
                ended = {"finishedAt": "now", "phase": min(shape.phases)}
                run["status"] = {**ended, "outputs": {"last": shape.outputs}}
            self.listed.append(name)
        return [dict(run) for run in self.started]


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def named(_: object, name: str, __: object) -> Obj:
    return {"metadata": {"name": name}}


def test_the_last_run_has_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "time", Clock())
    monkeypatch.setattr(soak, "made_of", named)
    runs, plan = Runs(), soak.Plan(runs=RUNS, seconds=30.0, every=60.0, seed=1)
    reach = cast(Reach, SimpleNamespace(space=runs, second=None))
    played = soak.Soak(reach, cast(Backdrop, None), plan, say=print)
    played.run()
    assert len(runs.started) == RUNS
    assert played.wrong_ends() == []
