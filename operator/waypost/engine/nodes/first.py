"""Kind `first`: the choice of the first candidate whose result is accepted.

The choice is a checkpoint of the node, recorded in the write that records the end of the chosen
candidate, or in a later one if the node could not begin before. It is never made again in its
round. What happens to the other candidates is decided by `run.losers`.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from waypost.api.changes import NodeChanges
from waypost.api.kinds.first import FirstKind
from waypost.api.state.first import FirstStatus
from waypost.api.status import NodeStatus
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling import remembering
from waypost.engine.scheduling.inputs import context_for, invalid_reason
from waypost.engine.scheduling.unread import unread_by, unread_records
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.outcome import Succeeded, checkpoint
from waypost.engine.state.transition import INLINE_TOTAL, Transition
from waypost.engine.state.visible import candidate_view
from waypost.expressions.templates import RenderError, render_condition
from waypost.kube import timestamps
from waypost.kube.facts.read_problems import ReadProblem
from waypost.protocol.reasons import Reason

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Begin to judge the candidates; some may have ended before."""
    transition.update(
        path,
        phase="Waiting",
        first=FirstStatus(),
        input_digest=inputs.digest,
        started_at=timestamps.timestamp(transition.now),
    )
    advance(transition, path, withdraw=False)


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """Judge the candidates that have succeeded since the last pass, in the order of their ends, and
    end the node with the first one that is accepted, or once none is left."""
    if withdraw:
        return
    rejected = list(_state(transition.statuses[path]).rejected or [])
    for name in _in_order_of_end(transition, _work(transition, path).of):
        if name in rejected:
            continue
        if problem := _unread(transition, path, name):
            transition.update(path, first=_state_with(None, rejected))
            transition.wait_to_read(path, problem)
            return
        accepted = _accepts(transition, path, name)
        if isinstance(accepted, Invalid):
            reason = invalid_reason(transition, accepted.message)
            transition.end(path, "Failed", reason, accepted.message)
            return
        if accepted:
            _share_output(transition, path, name)
            if transition.ended(path):
                chosen = name if transition.statuses[path].phase == "Succeeded" else None
                transition.update(path, first=_state_with(chosen, rejected))
            return
        rejected.append(name)
    transition.update(path, first=_state_with(None, rejected))
    if all(transition.ended(name) for name in _work(transition, path).of):
        transition.end(path, "Failed", Reason.NONE_ACCEPTED, _outcomes(transition, path))


def _work(transition: Transition, path: str) -> FirstKind:
    work = transition.node(path).first
    assert work is not None, "only first nodes choose"
    return work


def _state(status: NodeStatus) -> FirstStatus:
    return status.first or FirstStatus()


def _state_with(chosen: str | None, rejected: list[str]) -> FirstStatus:
    return FirstStatus(chosen=chosen, rejected=rejected or None)


def _in_order_of_end(transition: Transition, names: list[str]) -> list[str]:
    """The candidates that have succeeded, in the order in which that was recorded; those of the
    same time in the order of the list, but those that begin in this pass last (S469)."""
    ends = {
        name: timestamps.parse_timestamp(transition.statuses[name].finished_at) or _NEVER
        for name in names
        if transition.statuses[name].phase == "Succeeded"
    }
    begun = {each.path for each in transition.observed.status.nodes if each.phase != "Pending"}
    return sorted(ends, key=lambda name: (ends[name], name not in begun))


def _unread(transition: Transition, path: str, name: str) -> ReadProblem | None:
    """Why what is read to judge a candidate could not be read; None if it could."""
    if _work(transition, path).accept is None and transition.node(path).remember is None:
        return None
    record = transition.statuses[name].output_record
    return unread_by(transition, path) or unread_records(transition, [record] if record else [])


def _accepts(transition: Transition, path: str, name: str) -> bool | Invalid:
    """Whether a candidate that succeeded is accepted; Invalid unless that is true or false."""
    text = _work(transition, path).accept
    if text is None:
        return True
    status = transition.statuses[name]
    record = status.output_record
    loaded = {record: transition.payloads[record]} if record else {}
    candidate = candidate_view(transition.node(name), status, loaded)
    view = {**context_for(transition, path), "candidate": candidate}
    accepted = render_condition(text, view)
    if isinstance(accepted, RenderError):
        return Invalid(f"first.accept: {accepted.message} (candidate {name})")
    return accepted


def _share_output(transition: Transition, path: str, source: str) -> None:
    """Checkpoint a node with the output of another one that succeeded.

    Both name the same NodeRecord if there is one, or if the output does not fit inline a second
    time: it is that of `source`, so it holds the same whatever an interrupted pass has written.
    """
    given = transition.statuses[source]
    placed: NodeChanges = {"output_record": given.output_record}
    outcome = checkpoint(given.output)
    facts = remembering.judged(transition, path, _with_output(transition, given, outcome))
    if facts is None:
        return
    if given.output_record is None and transition.inline_size + outcome.size <= INLINE_TOTAL:
        placed = {"output": given.output}
    elif given.output_record is None:
        problem = transition.observed.write_problems.get(transition.result_record(source))
        if problem is not None:
            transition.without_record(path, problem)
            return
        placed = {"output_record": transition.keep_output(source, outcome)}
    transition.update(path, **placed)
    transition.update(
        path,
        phase="Succeeded",
        reason=None,
        message=None,
        output_digest=given.output_digest,
        finished_at=timestamps.timestamp(transition.now),
    )
    remembering.keep(transition, facts)


def _with_output(transition: Transition, given: NodeStatus, outcome: Succeeded) -> Succeeded:
    """The outcome with the output of a candidate, wherever it is."""
    if given.output_record is None:
        return outcome
    output = transition.payloads.get(given.output_record)
    return replace(outcome, output=output, digest=given.output_digest or outcome.digest)


def _outcomes(transition: Transition, path: str) -> str:
    """How each candidate ended, for the message of NoneAccepted."""
    work = _work(transition, path)
    listed = "; ".join(_outcome(transition.statuses[name]) for name in work.of)
    return f"none of {len(work.of)} candidates was accepted: {listed}"


def _outcome(status: NodeStatus) -> str:
    if status.phase == "Succeeded":
        return f"{status.path}: accept was false"
    return f"{status.path}: {status.phase} ({status.reason})"


KIND: Final = EngineKind("first", start=start, advance=advance)
