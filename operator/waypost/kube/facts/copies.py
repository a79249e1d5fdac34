"""Which pods with the labels of an attempt its Job has made; the others are copies.

Anyone who may create pods can copy labels, annotations and programs. What a copy reports is no
result, and it does not hold up the attempt (I14).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from waypost.kube.facts.pods import PodFact

# The name of a Job's pod begins with that many characters of the Job's name and a hyphen.
_GENERATED_FROM: Final = 57
# A pod that is wrongly left out would be started twice; so clocks may differ by much.
_CLOCKS: Final = timedelta(seconds=60)


def own_pods(
    pods: Iterable[PodFact], *, job: str, launched_at: datetime | None = None
) -> list[PodFact]:
    """The pods that the Job of an attempt has made.

    Without a controller a pod counts only if it can be one that a deletion of the Job has left
    behind: it is not older than the launch, and no other pod of the attempt is older than it. A
    copy is never older than its original. The API server counts whole seconds, so of two pods of
    one second the pod that the Job controls is the original.

    Args:
        pods: Those with the labels of the attempt.
        job: The name of its Job.
        launched_at: When it was launched, if that is known.
    """
    named = [pod for pod in pods if is_of(pod, job) or (not pod.owned_by and _has_name(pod, job))]
    oldest = min((_age(pod) for pod in named if pod.created_at is not None), default=None)
    earliest = launched_at - _CLOCKS if launched_at is not None else None
    return [pod for pod in named if pod.owned_by or _is_left_behind(pod, oldest, earliest)]


def is_of(pod: PodFact, job: str) -> bool:
    """Whether a Job controls a pod and has given it its name."""
    return pod.owned_by == f"Job/{job}" and _has_name(pod, job)


def _has_name(pod: PodFact, job: str) -> bool:
    return pod.name.startswith(f"{job}-"[:_GENERATED_FROM])


def _age(pod: PodFact) -> tuple[datetime | None, bool]:
    """Orders pods: the oldest first, and in one second the one that the Job controls."""
    return pod.created_at, not pod.owned_by


def _is_left_behind(
    pod: PodFact, oldest: tuple[datetime | None, bool] | None, earliest: datetime | None
) -> bool:
    if pod.created_at is None:
        return True
    return _age(pod) == oldest and (earliest is None or pod.created_at >= earliest)
