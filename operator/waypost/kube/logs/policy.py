"""Whether the log of a pod is kept, and how much of it."""

import json
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationError

from waypost.api.pod import KeepLogs, LogPolicy
from waypost.kube.facts.pods import PodFact
from waypost.protocol import ijson

NOTHING: Final = "Nothing"  # outcomes of `verdict`
LATER: Final = "Later"
SNAPSHOT: Final = "Snapshot"
KEEP: Final = "Keep"


@dataclass(frozen=True)
class LogSettings:
    """What the installation says. `max_bytes` limits what runs may ask for; 0: nothing is kept."""

    keep: KeepLogs
    max_bytes: int


OFF: Final = LogSettings("None", 0)


def annotation(policy: LogPolicy) -> str:
    """The policy of a run as the annotation of its pods."""
    return ijson.canonical(policy.model_dump(by_alias=True, exclude_none=True)).decode()


def effective(text: str, settings: LogSettings) -> LogSettings:
    """The policy for one pod.

    Args:
        text: The annotation of the pod, "" for none. One that cannot be read counts as none.
        settings: Those of the installation.
    """
    try:
        policy = LogPolicy.model_validate(json.loads(text)) if text else LogPolicy()
    except (ValueError, ValidationError):
        policy = LogPolicy()
    limit = settings.max_bytes if policy.max_bytes is None else policy.max_bytes
    return LogSettings(policy.keep or settings.keep, min(limit, settings.max_bytes))


def verdict(
    pod: PodFact, settings: LogSettings, *, gone: bool
) -> Literal["Nothing", "Later", "Snapshot", "Keep"]:
    """What to do about the log of a pod now.

    Args:
        pod: The pod.
        settings: The effective policy.
        gone: The pod does not exist any more.

    Returns:
        NOTHING: never read it. LATER: its program has not started or still runs. SNAPSHOT: it is
        being stopped, and its log disappears soon after its end: read what there is. KEEP: its
        log is complete.
    """
    if settings.keep == "None" or not settings.max_bytes:
        return NOTHING
    if pod.started_at is None:  # it has printed nothing
        return NOTHING if gone or pod.phase in ("Succeeded", "Failed") else LATER
    if gone or pod.terminated or pod.phase in ("Succeeded", "Failed"):
        return NOTHING if settings.keep == "Failed" and pod.exit_code == 0 else KEEP
    return SNAPSHOT if pod.deleting else LATER
