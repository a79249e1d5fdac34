"""What the archive has to do with a run: its end is archived before a TTL deletes it (S710)."""

from waypost.api.changes import changed_run
from waypost.api.meta import Condition, ConditionReason
from waypost.api.status import AgentWorkflowStatus
from waypost.engine.state.transition import Transition
from waypost.kube.conditions import Conditions


def waits(transition: Transition, status: AgentWorkflowStatus) -> bool:
    """Whether the run must not be deleted yet. The write of the condition Archived, by the
    archiver, begins the next pass."""
    return transition.observed.archives and not _has(status, "True")


def without_older_end(transition: Transition, status: AgentWorkflowStatus) -> AgentWorkflowStatus:
    """The status of a run that was not finished before this pass: what is archived is an older
    end."""
    if not _has(status, "True"):
        return status
    generation = transition.observed.generation
    conditions = Conditions(status.conditions, generation=generation, now=transition.now)
    text = "a round has begun since the run was archived"
    conditions.set(Condition.ARCHIVED, "False", reason=ConditionReason.NOT_FINISHED, message=text)
    return changed_run(status, conditions=conditions.items)


def _has(status: AgentWorkflowStatus, value: str) -> bool:
    return any((c.type, c.status) == (Condition.ARCHIVED, value) for c in status.conditions)
