"""A spec that cannot be accepted: its problems are reported in the conditions and an Event."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from waypost.api.changes import changed_run
from waypost.api.meta import Condition, ConditionReason, EventReason
from waypost.api.status import AgentWorkflowStatus
from waypost.compiler.problems import Problem
from waypost.compiler.rules.nodes.policy import policy_problems
from waypost.compiler.rules.spec import MAX_PROBLEMS
from waypost.engine.memory.identity import problems as memory_problems
from waypost.engine.rounds.begin import is_requested
from waypost.engine.rounds.begin import problems as round_problems
from waypost.engine.run.summary import CANCELLED_IS_FINAL
from waypost.engine.state.decision import Decision, RunEvent
from waypost.engine.state.observed import Observed
from waypost.kube.conditions import Conditions
from waypost.kube.timestamps import timestamp


def problems_of(observed: Observed) -> tuple[Problem, ...]:
    """Why the spec, or the round that it requests, cannot be run; empty if it can."""
    if observed.definition.stops(observed.status):
        return observed.definition.problems
    begins = not observed.status.nodes or is_requested(observed)
    memory = memory_problems(observed) if begins else ()
    return _not_permitted(observed) or round_problems(observed) or memory


def _not_permitted(observed: Observed) -> tuple[Problem, ...]:
    """What a new run uses and the policy of its namespace, or strict mode, does not allow. The pods
    of an accepted run are compared with the policy when they are launched."""
    spec, policy = observed.spec, observed.policy
    if spec is None or observed.status.nodes:
        return ()
    found = list(policy_problems(spec, policy)) if policy is not None else []
    if observed.strict_approvals:
        text = "approvals.mode is Strict, and "
        found += [
            replace(one, message=text + one.message, severity="error")
            for one in observed.definition.outside
        ]
    return tuple(found)[:MAX_PROBLEMS]


def problems_text(observed: Observed, problems: Iterable[Problem]) -> str:
    """Every problem of a rejected spec, and the fields that the API server dropped."""
    text = "; ".join(str(problem) for problem in problems)
    if observed.pruned:
        text += f"; unknown fields that the API server dropped: {', '.join(observed.pruned[:10])}"
    return text


def reject(
    observed: Observed,
    problems: str,
    now: datetime,
    *,
    reason: str = ConditionReason.INVALID_SPEC,
) -> Decision:
    """Set Accepted=False with every problem.

    A run that never began is Finished, so that `kubectl wait` returns. A run with checkpoints does
    nothing until its spec is corrected.
    """
    if observed.status.nodes:
        return _halt(observed, problems, now, reason)
    return _mark_rejected(observed, problems, now)


def _mark_rejected(observed: Observed, problems: str, now: datetime) -> Decision:
    conditions = Conditions(observed.status.conditions, generation=observed.generation, now=now)
    put = partial(conditions.set, reason=ConditionReason.INVALID_SPEC)
    put(Condition.ACCEPTED, "False", message=problems)
    put(Condition.SUCCEEDED, "False", message="not accepted: see the Accepted condition")
    put(Condition.FINISHED, "True", message="not accepted: see the Accepted condition")
    put(Condition.RECONCILING, "False", message="")
    put(
        Condition.STALLED,
        "True",
        message="correct the spec: it can be edited while it is not accepted",
    )
    status = changed_run(
        observed.status,
        observed_generation=observed.generation,
        phase="Rejected",
        finished_at=observed.status.finished_at or timestamp(now),
        conditions=conditions.items,
    )
    return _with_event(observed, status, problems)


def _halt(observed: Observed, problems: str, now: datetime, reason: str) -> Decision:
    """Start nothing and lose nothing: running attempts continue, and their results stay on their
    pods until the spec is corrected."""
    conditions = Conditions(observed.status.conditions, generation=observed.generation, now=now)
    put = partial(conditions.set, reason=reason)
    put(Condition.ACCEPTED, "False", message=problems)
    put(Condition.RECONCILING, "False", message="")
    text = (
        f"round {observed.status.round + 1} was not begun: see the Accepted condition, and correct "
        "the spec in an update with rerun.round above "
        f"{observed.status.round}"
    )
    if reason in (ConditionReason.DEFINITION_LOST, ConditionReason.DEFINITION_UNREAD):
        text = problems
    elif reason != ConditionReason.INVALID_SPEC:
        text = f"round {observed.status.round + 1} has not begun yet: {problems}"
    if observed.status.cancelled_at:
        text = CANCELLED_IS_FINAL
    put(Condition.STALLED, "True", message=text)
    status = changed_run(
        observed.status, observed_generation=observed.generation, conditions=conditions.items
    )
    return _with_event(observed, status, problems, reason)


def _with_event(
    observed: Observed,
    status: AgentWorkflowStatus,
    problems: str,
    reason: str = EventReason.INVALID_SPEC,
) -> Decision:
    known = status == observed.status
    event = RunEvent(type="Warning", reason=reason, message=problems[:1000])
    return Decision(status=status, events=() if known else (event,))
