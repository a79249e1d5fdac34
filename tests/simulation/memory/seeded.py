"""Seeded bugs of memory: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from waypost.engine import decide
from waypost.engine.memory import begin, closing, identity, outbox
from waypost.engine.rounds import begin as rounds
from waypost.engine.slots import of_run
from waypost.engine.state.decision import PutEntry
from waypost.kube.memory import episodes, snapshot
from waypost.kube.memory.names import entry_name
from waypost.kube.memory.phases import readable
from waypost.runtime.memory import entries

from tests.simulation.focused.hunting import Bugs
from tests.simulation.memory.plan import Plan, plan
from tests.simulation.memory.play import play

bug: Final = Bugs(plan, play, limit=30)
BUGS: Final = bug.all


def _any(planned: Plan) -> bool:
    return True


def _with(*kinds: str) -> Callable[[Plan], bool]:
    return lambda planned: bool(planned.kinds & set(kinds))


def _waits(planned: Plan) -> bool:
    return any(run.queued or run.suspended for run in planned.runs)


@bug("VY2", focus=_with("refused"))
def _a_run_is_finished_before_its_episode_is_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(closing, "is_written", lambda transition: True)


@bug("VY3", focus=_any)
def _an_entry_is_created_before_the_status_names_it(patch: pytest.MonkeyPatch) -> None:
    put = outbox.put

    def hasty(transition: Any, made: Any, **more: Any) -> Any:
        transition.before += [PutEntry(one) for one in made]
        return put(transition, made, **more)

    patch.setattr(outbox, "put", hasty)


@bug("VY3", focus=_with("cancel"))
def _a_cancelled_run_has_an_episode(patch: pytest.MonkeyPatch) -> None:
    def always(transition: Any, phase: str) -> bool:
        return bool(transition.spec.memory.remember and transition.observed.status.memory)

    patch.setattr(closing, "remembers", always)


@bug("VY3", "I11", focus=_with("cancel_late"))
def _the_result_is_not_recorded_with_the_episode(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(closing, "end_of", lambda transition: None)


@bug("VY1", "VY3", focus=_with("rerun"))
def _a_round_reads_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rounds, "changed_memory", lambda memory, **changes: None)


@bug("VY3", "I11", focus=_with("rerun"))
def _names_do_not_have_the_round(patch: pytest.MonkeyPatch) -> None:
    name = entry_name
    patch.setattr(episodes, "entry_name", lambda **given: name(**{**given, "round_": 1}))


@bug("VY4", focus=_with("forget"))
def _what_is_forgotten_is_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(entries, "forgotten_until", lambda known, **given: None)


@bug("VY5", focus=_any)
def _all_workflows_share_one_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(identity, "workflow_of", lambda observed: "triage")


@bug("VY5", focus=_any)
def _what_a_later_round_replaced_is_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(begin, "readable", lambda known, **given: readable(known, **given)[::-1])


@bug("VY5", focus=_waits)
def _a_run_that_waits_has_read_already(patch: pytest.MonkeyPatch) -> None:
    def eager(transition: Any) -> bool:
        return begin.may_start(transition) and of_run.may_start(transition)

    patch.setattr(decide, "_may_start", eager)

    def all_of(observed: Any) -> Any:
        found = identity.identity(observed) if observed.spec and observed.spec.memory else None
        return frozenset({found} - observed.memory.keys()) if isinstance(found, tuple) else ()

    patch.setattr(begin, "wanted", all_of)


@bug("VY5", focus=_any)
def _the_last_good_one_is_cut_with_the_others(patch: pytest.MonkeyPatch) -> None:
    take = snapshot.take

    def short(found: Any, memory: Any, **given: Any) -> Any:
        return take(list(found)[: memory.episodes], memory, **given)

    patch.setattr(begin, "take", short)
