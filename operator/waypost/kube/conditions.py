"""Conditions of an object while a pass works them out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from waypost.api.base import StatusCondition
from waypost.kube.timestamps import timestamp

ConditionStatus = Literal["True", "False", "Unknown"]
_MESSAGE = 4096  # characters


class Conditions:
    """The conditions of one object, as this pass sets them.

    Attributes:
        items: The conditions, in the order in which they were first set.
    """

    def __init__(self, known: Iterable[StatusCondition], *, generation: int, now: datetime) -> None:
        self.items: list[StatusCondition] = list(known)
        self._generation = generation
        self._now = now

    def set(self, type_: str, status: ConditionStatus | bool, *, reason: str, message: str) -> None:
        """Set one condition, stamped with the generation that it judges.

        lastTransitionTime moves only when `status` does (Kubernetes API conventions).
        """
        text = str(status) if isinstance(status, bool) else status
        at = next((i for i, known in enumerate(self.items) if known.type == type_), None)
        if at is not None and self._says(self.items[at], text, reason, message[:_MESSAGE]):
            return
        since = timestamp(self._now)
        if at is not None and self.items[at].status == text:
            since = self.items[at].last_transition_time
        made = StatusCondition.model_validate(
            {
                "type": type_,
                "status": text,
                "observedGeneration": self._generation,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message[:_MESSAGE],
            }
        )
        if at is None:
            self.items.append(made)
        else:
            self.items[at] = made

    def _says(self, known: StatusCondition, status: str, reason: str, message: str) -> bool:
        said = (known.status, known.reason, known.message, known.observed_generation)
        return said == (status, reason, message, self._generation)

    def has(self, type_: str, status: ConditionStatus | None = None) -> bool:
        """Whether there is a condition of this type, with this status if one is given."""
        return any(c.type == type_ and status in (None, c.status) for c in self.items)
