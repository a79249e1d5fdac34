"""Seeded bugs of artifacts: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.api.changes import changed_loop
from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.engine.artifacts import made, taken
from waypost.engine.attempts import stored_results
from waypost.engine.nodes.children import patches, runs
from waypost.engine.nodes.gates import request
from waypost.engine.state import artifacts
from waypost.engine.state.outcome import Succeeded
from waypost.kube.facts import children
from waypost.kube.manifests import artifacts as manifests
from waypost.kube.payloads import AttemptRef
from waypost.runtime.cache.runs import RunCache
from waypost.runtime.sweeps.artifacts import ArtifactSweep

from tests.simulation.focused.hunting import Bugs
from tests.simulation.folders.plan import Plan, plan
from tests.simulation.folders.play import play

bug: Final = Bugs("folders", plan, lambda planned: play(planned)[0], limit=30)
BUGS: Final = bug.all


def _acts(name: str) -> Callable[[Plan], bool]:
    return lambda planned: any(name in step.acts for step in planned.steps)


def _takes_second(planned: Plan) -> bool:
    """Some node takes a folder that is not that of the first node."""
    first = planned.steps[0].name
    return any(name != first for step in planned.steps for name in step.takes)


@bug("VA1", focus=_acts("unrecorded"))
def _the_commit_record_is_believed(patch: pytest.MonkeyPatch) -> None:
    """No look at the record: the checkpoint names what was never stored."""

    def believing(outcome: Any, node: Any, ref: AttemptRef, *, records: Any, record: Any) -> Any:
        if not isinstance(outcome, Succeeded) or not made.names_of(node):
            return outcome
        committed = (record.artifacts if record is not None else None) or {}
        listed = [
            ArtifactStatus(name=name, record=ref.artifact_name(name), **one.to_json())
            for name, one in committed.items()
        ]
        return replace(outcome, artifacts=tuple(listed))

    patch.setattr(made, "with_artifacts", believing)


@bug("VA1", "T11", focus=_takes_second)
def _an_artifact_is_found_by_its_name(patch: pytest.MonkeyPatch) -> None:
    """All artifacts here have the same name: the first one is given to everybody."""

    def first(transition: Any) -> Any:
        found = known(transition)
        return dict.fromkeys(found, next(iter(found.values()), None))

    known = artifacts.known
    patch.setattr(taken, "known", first)


@bug("T11", "VA1", "I11", focus=_acts("dies"))
def _the_record_of_the_first_attempt_is_read(patch: pytest.MonkeyPatch) -> None:
    plain = AttemptRef.artifact_name

    def first(self: AttemptRef, artifact: str) -> str:
        return plain(replace(self, attempt=1), artifact)

    patch.setattr(made, "with_artifacts", _with_first(made.with_artifacts, first))
    patch.setattr(stored_results, "records_of", lambda node, ref: _records(node, ref, first))


def _with_first(plain: Any, first: Any) -> Any:
    def judged(outcome: Any, node: Any, ref: AttemptRef, **known: Any) -> Any:
        return plain(outcome, node, replace(ref, attempt=1), **{**known, "record": None})

    return judged


def _records(node: Any, ref: AttemptRef, first: Any) -> set[str]:
    return {first(ref, name) for name in made.names_of(node)}


def _attaches(planned: Plan) -> bool:
    """Whether an agent gets the folders of two nodes."""
    return any(step.attached and len(step.takes) > 1 for step in planned.steps)


@bug("T11", focus=_attaches)
def _only_the_first_attachment_is_pinned(patch: pytest.MonkeyPatch) -> None:
    plain = manifests.attachments_of
    patch.setattr(manifests, "attachments_of", lambda node: plain(node)[:1])


@bug("T11", "VA1", focus=lambda planned: any(step.times > 2 for step in planned.steps))
def _an_iteration_takes_the_folder_of_the_first_one(patch: pytest.MonkeyPatch) -> None:
    def kept(loop: Any, **changes: Any) -> Any:
        if "artifacts" in changes and loop.artifacts:
            changes["artifacts"] = loop.artifacts
        return changed_loop(loop, **changes)

    patch.setattr("waypost.engine.scheduling.loops.changed_loop", kept)


def _deletes(planned: Plan) -> bool:
    """Whether child runs are deleted that have ended."""
    deleted = any(trouble.kind == "delete_ended" for trouble in planned.troubles)
    return deleted and all(step.called for step in planned.steps)


def _passes_down(planned: Plan) -> bool:
    """Whether a child run takes a folder."""
    return any(step.called and step.takes for step in planned.steps)


@bug("VA1", focus=_deletes)
def _a_child_run_is_released_although_its_folder_is_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches, "keeping_artifacts", lambda nodes: set())


@bug("T11", focus=_passes_down)
def _a_child_run_gets_no_artifacts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs, "passed", lambda *how: [])


@bug("T11", "VA1", focus=lambda planned: any(step.called for step in planned.steps))
def _a_parent_does_not_name_what_a_child_run_made(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(children, "_artifacts", lambda status: ())


def _redone(planned: Plan) -> bool:
    """Whether a child run gets a round after its parent has ended."""
    return planned.swept and any(step.called for step in planned.steps)


@bug("VA2", focus=_redone)
def _the_sweep_looks_at_one_run_of_the_tree(patch: pytest.MonkeyPatch) -> None:
    async def alone(self: ArtifactSweep, run: Any) -> Any:
        return [run]

    patch.setattr(ArtifactSweep, "_tree", alone)
    patch.setattr(RunCache, "tree", lambda self, uid: [uid])


@bug("VA2", focus=lambda planned: any(step.lingers for step in planned.steps))
def _the_sweep_removes_what_an_attempt_has_just_stored(patch: pytest.MonkeyPatch) -> None:
    async def at_once(self: ArtifactSweep, run: Any, body: Any) -> bool:
        return True

    patch.setattr(ArtifactSweep, "_has_ended", at_once)


@bug("VA2", focus=lambda planned: planned.swept and bool(planned.again))
def _nothing_is_swept(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: ArtifactSweep, before: Any) -> Any:
        return {}

    patch.setattr(ArtifactSweep, "sweep", nothing)


@bug("VA1", "T11", focus=lambda planned: len(planned.asked) > 1)
def _a_question_is_about_the_first_folder_alone(patch: pytest.MonkeyPatch) -> None:
    def first(transition: Any) -> Any:
        found = artifacts.known(transition)
        return dict.fromkeys(found, next(iter(found.values()), None))

    patch.setattr(request, "known", first)
