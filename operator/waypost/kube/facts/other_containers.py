"""What containers of others do in a pod: init containers that prevent the start of `node`, and
added containers that do not start. Reading them from a body never raises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from waypost.api import meta
from waypost.kube.facts.restarts import CONTAINER_STATUS_UNKNOWN
from waypost.kube.objects import items, moment, section, text

CREATING: Final = ("", "ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class InitFact:
    """An init container that prevents the pod's container from starting."""

    reason: str  # Failed, Running, or the kubelet's reason for which it waits
    text: str  # for people
    ended_at: datetime | None = None  # when it failed
    name: str = ""


def init_fact(body: Any, state: dict[str, Any]) -> InitFact | None:
    """The first init container, in their order, that has not finished or started.

    Args:
        body: The pod.
        state: The state of its container `node`. Once that has run, nothing prevents its start; a
            placeholder does not say that, but then only an init container that failed counts.
    """
    ended = section(state, "terminated")
    if "running" in state or (ended and text(ended, "reason") != CONTAINER_STATUS_UNKNOWN):
        return None
    sidecars = {
        text(item, "name")
        for item in items(body, "spec", "initContainers")
        if item.get("restartPolicy") == "Always"
    }
    for status in items(body, "status", "initContainerStatuses"):
        is_sidecar = text(status, "name") in sidecars
        fact = None if ended and is_sidecar else _init_state(status, is_sidecar=is_sidecar)
        if fact is not None and (not ended or fact.reason == "Failed"):
            return fact
    return None


def _init_state(status: dict[str, Any], *, is_sidecar: bool) -> InitFact | None:
    """What an init container does instead of letting the next one start."""
    state, last = section(status, "state"), section(status, "lastState", "terminated")
    about = f"init container {text(status, 'name')}"
    ended, waiting = section(state, "terminated"), section(state, "waiting")
    if ended and ended.get("exitCode") != 0 and text(ended, "reason") != CONTAINER_STATUS_UNKNOWN:
        text_, at = f"{about} {_failure(ended)}", moment(ended, "finishedAt")
        return InitFact("Failed", text_, at, text(status, "name"))
    if waiting and text(waiting, "reason") not in CREATING:
        message = f"{text(waiting, 'reason')}: {text(waiting, 'message')}".removesuffix(": ")
        before = f"; it {_failure(last)}" if last else ""
        return InitFact(text(waiting, "reason"), f"{about}: {message}{before}")
    if "running" in state and not (is_sidecar and status.get("started") is True):
        return InitFact("Running", f"{about} is still running")
    return None


def other_trouble(status: dict[str, Any]) -> str:
    """Why an injected container has not started: the kubelet may wait for it before it starts
    `node`."""
    for other in items(status, "containerStatuses"):
        waiting = section(other, "state", "waiting")
        reason = text(waiting, "reason")
        if text(other, "name") != meta.NODE_CONTAINER and reason not in CREATING:
            said = f"{reason}: {text(waiting, 'message')}".removesuffix(": ")
            return f"container {text(other, 'name')}: {said}"
    return ""


def _failure(ended: dict[str, Any]) -> str:
    message = text(ended, "message").strip()[:300] or text(ended, "reason")
    return f"failed with exit code {ended.get('exitCode')}: {message}".removesuffix(": ")
