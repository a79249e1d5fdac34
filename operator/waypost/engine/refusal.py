"""A run that cannot be accepted: say why, where the user looks, and stay editable."""

from datetime import datetime
from typing import Literal

from waypost.api.base import StatusCondition
from waypost.api.meta import Condition
from waypost.engine.conditions import set_condition
from waypost.engine.ending import release_all
from waypost.engine.model import Decision, Note, Observed
from waypost.engine.names import timestamp


def refuse(observed: Observed, now: datetime) -> Decision:
    """Accepted=False with every problem, Finished=True so that `kubectl wait` returns.

    A run that was accepted before keeps its checkpoints: only the conditions change.
    """
    problems = observed.definition.problems
    listed = "; ".join(str(problem) for problem in problems)
    if observed.pruned:
        listed += f"; unknown fields that the API server dropped: {', '.join(observed.pruned[:10])}"
    conditions: list[StatusCondition] = list(observed.status.conditions)

    def put(type_: str, status: Literal["True", "False", "Unknown"], message: str) -> None:
        set_condition(
            conditions,
            type_=type_,
            status=status,
            reason="InvalidSpec",
            message=message,
            generation=observed.generation,
            now=now,
        )

    put(Condition.ACCEPTED, "False", listed)
    put(Condition.SUCCEEDED, "False", "not accepted: see the Accepted condition")
    put(Condition.FINISHED, "True", "not accepted: see the Accepted condition")
    put(Condition.RECONCILING, "False", "")
    put(Condition.STALLED, "True", "correct the spec: it can be edited while it is not accepted")
    status = observed.status.model_copy(
        update={
            "observed_generation": observed.generation,
            "phase": "Rejected",
            "finished_at": observed.status.finished_at or timestamp(now),
            "conditions": conditions,
        }
    )
    known = status == observed.status
    notes = () if known else (Note(type="Warning", reason="InvalidSpec", message=listed[:1000]),)
    return Decision(status=status, after=release_all(observed), notes=notes)
