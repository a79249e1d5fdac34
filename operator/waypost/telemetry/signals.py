"""What monitoring counts about one run that has not ended. Pure; never raises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waypost.api.meta import Condition
from waypost.kube.objects import items, moment, section, text


@dataclass(frozen=True)
class Signals:
    """What a person may have to act on.

    Attributes:
        stalled: Whether the run needs a person to continue (its condition Stalled).
        asked: When each approval that it waits for was opened.
    """

    stalled: bool = False
    asked: tuple[datetime, ...] = ()


NONE = Signals()


def signals(body: Any) -> Signals:
    """The signals of an AgentWorkflow object; none of a run that has ended."""
    status = section(body, "status")
    if status.get("finishedAt"):
        return NONE
    stalled = any(
        text(condition, "type") == Condition.STALLED and text(condition, "status") == "True"
        for condition in items(status, "conditions")
    )
    opened = (
        moment(node, "startedAt")
        for node in items(status, "nodes")
        if text(node, "phase") == "Waiting" and text(node, "approval")
    )
    return Signals(stalled, tuple(time for time in opened if time is not None))
