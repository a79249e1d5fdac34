"""Seeded bugs about reads, stops and creates that the API server refuses or does not answer."""

from typing import Any

import pytest
from waypost.engine.attempts import watch
from waypost.engine.attempts.stop import stop
from waypost.engine.state.outcome import reason_of
from waypost.engine.state.transition import Transition
from waypost.kube.facts.read_problems import ReadProblem
from waypost.runtime.reads.read_problems import Tries
from waypost.runtime.writes import child_problems

from tests.simulation.scenario.plan import STRANGE, Scenario
from tests.simulation.seeded.hunting import Focus, both, bug
from tests.simulation.seeded.others import gives_much


def withheld(*what: str, cancels: bool = False) -> Focus:
    """Scenarios in which such requests fail for long, and nothing else goes wrong."""
    return lambda plan: (
        {t.kind for t in plan.troubles} <= STRANGE
        and any(
            t.kind == "withhold"
            and t.choice.split()[1] in what
            and t.seconds > 90
            and t.number >= 1 + cancels
            for t in plan.troubles
        )
    )


def reads(plan: Scenario) -> bool:
    """A node that reads another one."""
    return any(node.reads for node in plan.nodes)


def hangs(plan: Scenario) -> bool:
    return any(
        a.name in ("hangs", "saves") for n in plan.nodes for a in n.acts[:1] if not n.upstream
    )


@bug("said", "K1", "I11", focus=both(withheld("records"), gives_much))
def _one_refused_read_stops_the_pass(patch: pytest.MonkeyPatch) -> None:
    async def stubborn(self: Any, what: str, reading: Any) -> Any:
        return await reading()

    patch.setattr(Tries, "read", stubborn)


@bug("said", "K1", focus=withheld("records", "pods", "jobs"))
def _a_node_that_waits_to_read_says_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transition, "wait_to_read", lambda self, path, problem: None)


@bug("K1", focus=withheld("records", cancels=True))
def _a_refused_read_outlasts_a_cancel(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ReadProblem, "lasts_long", lambda self, now: False)


@bug("said", focus=both(withheld("stops", "suspend"), hangs))
def _a_refused_stop_is_not_named(patch: pytest.MonkeyPatch) -> None:
    def silent(transition: Transition, path: str, attempt: Any) -> None:
        stop(transition, path, reason_of(attempt.stopping))

    patch.setattr(watch, "_stop_again", silent)


@bug("said", focus=withheld("undone"))
def _a_create_without_an_answer_is_not_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(child_problems, "note_no_answer", lambda entry, name, error, now: None)
