"""A pass that decides long after it has looked: what was missing may exist now (A2, A4, A8)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from waypost.kube.facts.machines import MachineFact
from waypost.kube.timestamps import timestamp

from tests.support import builders
from tests.support.builders import (
    SETTINGS,
    after,
    attempt,
    in_flight,
    observed,
    python,
    running,
    spec,
)
from tests.support.passes import decide
from tests.support.play import Play, launches

CLOCKS = {"timeout": "9h", "queueTimeout": "9h"}


@pytest.mark.parametrize(
    ("looked", "phase"),
    [
        pytest.param(61.9, "Running", id="before the fence had ended"),
        pytest.param(62.0, "Backoff", id="after that"),
    ],
)
def test_a8_a_stopped_attempt_is_closed_by_a_late_look_not_a_late_decision(
    looked: float, phase: str
) -> None:
    """Another operator may have created the Job after the look."""
    stopped = attempt(stopping="Unschedulable", stopping_at=timestamp(after(50)))
    status = builders.status(in_flight("a", attempts=[stopped]))
    node = python("a", retry={"never": True}, **CLOCKS)
    facts = observed(spec(node), status=status, live=True, live_at=after(looked))
    decision = decide(facts, after(80), SETTINGS)
    assert decision.status.nodes[0].phase == phase
    assert decision.requeue_at is not None


@pytest.mark.parametrize(
    ("read", "lost"),
    [
        pytest.param(399.0, False, id="before five minutes had passed"),
        pytest.param(400.0, True, id="after that"),
    ],
)
def test_a4_a_machine_is_lost_by_a_late_read_not_a_late_decision(read: float, lost: bool) -> None:
    """It may have become ready after it was read."""
    machine = MachineFact("m1", after(read), ready=False, since=after(100), live=True)
    found = running("a", machine="m1", unready_since=after(101))
    facts = observed(
        spec(python("a", **CLOCKS)),
        status=builders.status(in_flight("a")),
        pods=(found,),
        machines={"m1": machine},
        live=True,
    )
    decision = decide(facts, after(420), SETTINGS)
    ended = (decision.status.nodes[0].attempts or [])[0].reason
    assert ended == ("NodeLost" if lost else None)
    if not lost:
        assert decision.requeue_at is not None


def test_s129_finally_starts_by_a_late_look_not_a_late_decision() -> None:
    """An operator of the round before may have created a Job after the look."""
    play = Play(spec(python("a"), **{"finally": [python("clean")]}))
    play.finish()
    play.edit(nodes=[python("b")]).rerun()
    began = play.now
    while play.status.verdict is None or play.status.round == 1:
        play.step()
        play.advance(1)
    facts = replace(play.observe(), jobs={}, live=True, live_at=began + timedelta(seconds=11))
    late = began + timedelta(seconds=30)
    assert not launches(decide(facts, late, SETTINGS))
    again = replace(facts, live_at=began + timedelta(seconds=12))
    assert [one.path for one in launches(decide(again, late, SETTINGS))] == ["clean"]
