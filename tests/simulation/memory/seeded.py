"""Seeded bugs of memory: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.compiler.memory import marks
from waypost.engine import decide
from waypost.engine.memory import begin, closing, facts, identity, outbox, refresh
from waypost.engine.rounds import begin as rounds
from waypost.engine.scheduling import remembering
from waypost.engine.slots import of_run
from waypost.engine.state.decision import PutEntry
from waypost.engine.state.outcome import Failed, Remembered
from waypost.kube.memory import remembered, snapshot
from waypost.kube.memory.names import entry_name
from waypost.kube.memory.phases import readable
from waypost.ports.cluster import Kind
from waypost.protocol.agents import sensitive
from waypost.runtime.memory import entries

from tests.simulation.focused.hunting import Bugs
from tests.simulation.memory.plan import Plan, plan
from tests.simulation.memory.play import play

bug: Final = Bugs("memory", plan, play, limit=30)
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
    patch.setattr(remembered, "entry_name", lambda **given: name(**{**given, "round_": 1}))


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


@bug("VY1", "VY5", focus=_with("rerun"))
def _every_round_reads_again(patch: pytest.MonkeyPatch) -> None:
    def always(observed: Any) -> bool:
        return bool(observed.spec.memory and observed.status.memory)

    patch.setattr(refresh, "reads_again", always)


@bug("VY1", "VY3", focus=_with("rerun"))
def _what_reads_something_else_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refresh, "_readers", lambda observed, before, after: ())


def _stated(planned: Plan) -> bool:
    return sum(run.states for run in planned.runs) > 2


def _reviewed(planned: Plan) -> bool:
    unseen = [run for run in planned.runs if run.states and not run.reviewed]
    return len(planned.reviews) > 4 and len(unseen) > 1 and len(planned.runs) > 3


def _misstated(planned: Plan) -> bool:
    return any(run.misstates and run.states and run.fails < 2 for run in planned.runs)


@bug("VY3", focus=_misstated)
def _a_fact_of_a_failed_attempt_is_kept(patch: pytest.MonkeyPatch) -> None:
    checked = remembering.checked

    def keeping(transition: Any, path: str, outcome: Any) -> Any:
        found = checked(transition, path, outcome)
        if isinstance(found, Failed):
            attempt = transition.statuses[path].attempt
            good = Remembered(path, {0: outcome.output["facts"][0]}, outcome.digest, attempt)
            transition.remembered.append(good)
        return found

    patch.setattr(remembering, "checked", keeping)


@bug("VY3", focus=_misstated)
def _what_is_no_fact_is_remembered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(remembering, "_fact_problem", lambda transition, place, fact: "")


@bug("VY3", focus=_stated)
def _facts_are_not_recorded_with_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "keep", lambda transition: None)


@bug("VY3", focus=_with("kill", "lost", "second", "freeze_acting"))
def _a_fact_is_written_twice_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    async def under_another_name(cluster: Any, namespace: str, manifest: Any) -> None:
        name = manifest["metadata"]["name"] + "-2"
        body = {**manifest, "metadata": {**manifest["metadata"], "name": name}}
        await cluster.create(Kind.MEMORY_ENTRY, namespace=namespace, body=body)

    patch.setattr(entries, "_look_at", under_another_name)


@bug("VY3", "I11", focus=_stated)
def _names_do_not_have_the_ordinal(patch: pytest.MonkeyPatch) -> None:
    name = entry_name
    patch.setattr(remembered, "entry_name", lambda **given: name(**{**given, "ordinal": 0}))


@bug("VY5", focus=_stated)
def _a_proposed_fact_is_in_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    def eager(known: Any, **given: Any) -> Any:
        return readable([_changed(one, review="Automatic") for one in known], **given)

    patch.setattr(begin, "readable", eager)


@bug("VY5", focus=_reviewed)
def _a_rejected_fact_is_in_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    def blind(known: Any, **given: Any) -> Any:
        found = [_changed(one, decision=None) if _rejected(one) else one for one in known]
        return readable(found, **given)

    patch.setattr(begin, "readable", blind)


def _rejected(one: Any) -> bool:
    return bool(one.spec.decision == "Rejected")


def _changed(one: Any, **fields: Any) -> Any:
    if one.spec.type != "Fact":
        return one
    return replace(one, spec=one.spec.model_copy(update=fields))


def _marked(planned: Plan) -> bool:
    return any(run.marks and run.states and run.fails < 2 for run in planned.runs)


def _asked(planned: Plan) -> bool:
    return any(run.asks and run.remembers for run in planned.runs)


@bug("VY6", focus=_marked)
def _a_fact_has_a_marked_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(remembering, "output_without_marked", lambda node, output: output)


@bug("VY6", focus=_marked)
def _an_episode_has_a_marked_output(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(marks, "_declared", lambda node, nodes: [])


@bug("VY6", focus=_asked)
def _an_episode_has_a_marked_input(patch: pytest.MonkeyPatch) -> None:
    without = marks.without_marks

    def careless(context: Any, spec: Any, nodes: Any) -> Any:
        return {**without(context, spec, nodes), "inputs": context["inputs"]}

    patch.setattr(closing, "without_marks", careless)


@bug("VY6", focus=_marked)
def _what_is_beside_a_mark_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    def hidden(value: Any, schema: Any) -> Any:
        return sensitive.REPLACED if sensitive.marks(schema) else value

    patch.setattr(marks, "without_marked", hidden)
