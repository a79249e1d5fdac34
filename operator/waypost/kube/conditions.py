"""Set a condition; its transition time changes only with its status."""

from datetime import datetime
from typing import Literal

from waypost.api.base import StatusCondition
from waypost.kube.timestamps import timestamp


def set_condition(
    conditions: list[StatusCondition],
    *,
    type_: str,
    status: Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> None:
    """Set one condition in `conditions` (in place), with the generation that it is based on.

    lastTransitionTime changes only if `status` does (Kubernetes API conventions).
    """
    at = next((i for i, known in enumerate(conditions) if known.type == type_), None)
    since = timestamp(now)
    if at is not None and conditions[at].status == status:
        since = conditions[at].last_transition_time
    made = StatusCondition(
        type=type_,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=reason,
        message=message[:4096],
    )
    if at is None:
        conditions.append(made)
    else:
        conditions[at] = made
