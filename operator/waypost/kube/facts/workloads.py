"""Workloads of Kueue: why a queue holds a Job. Reading one from a body never raises."""

from dataclasses import dataclass
from typing import Any, Final

from waypost.kube.objects import condition_text, items, section, text

LABEL_JOB_UID: Final = "kueue.x-k8s.io/job-uid"  # on a Workload: the uid of its Job


@dataclass(frozen=True)
class WorkloadFact:
    """What is known of the Workload of a suspended Job."""

    holds: bool  # a queue holds the Job, and may still resume it
    text: str = ""  # why, in the words of the queue


def workload_fact(body: Any) -> WorkloadFact:
    """The fact of a Workload."""
    status = section(body, "status")
    if finished := condition_text(status, "Finished", "True"):
        return WorkloadFact(False, f"its Workload has ended: {finished}")
    return WorkloadFact(True, _evicted(status) or _waits(status) or _checks(status))


def _evicted(status: dict[str, Any]) -> str:
    """Why the queue took the quota of the Job away, while that is its last word."""
    return condition_text(status, "Evicted", "True")


def _waits(status: dict[str, Any]) -> str:
    for condition in items(status, "conditions"):
        if condition.get("type") == "QuotaReserved" and condition.get("status") == "False":
            return text(condition, "message")
    return ""


def _checks(status: dict[str, Any]) -> str:
    """The admission checks that a Workload with reserved quota still waits for."""
    return "; ".join(
        f"admission check {text(check, 'name')}: {text(check, 'message')}".removesuffix(": ")
        for check in items(status, "admissionChecks")
        if check.get("state") != "Ready"
    )
