"""The Episode of a run as a MemoryEntry, and the NodeRecord that holds it until it is written."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.kube.memory.entries import beginning
from waypost.kube.memory.names import entry_labels, entry_name
from waypost.kube.timestamps import timestamp


@dataclass(frozen=True)
class Origin:
    """The run that remembers, and the round.

    Attributes:
        scope: The scope of its memory.
        key: The key.
        run: Its name.
        run_uid: Its uid.
        workflow: Its template, or its label waypost.dev/workflow; "" if it has neither.
        round: The round.
        at: The time when its last node ended.
    """

    scope: str
    key: str
    run: str
    run_uid: str
    workflow: str
    round: int
    at: datetime


def episode(
    origin: Origin, value: JsonObject, *, succeeded: bool, scheduled_at: str, kept: timedelta
) -> JsonObject:
    """The manifest of an Episode.

    Args:
        origin: Where it comes from.
        value: What the run remembers.
        succeeded: Whether the run succeeded.
        scheduled_at: `run.scheduledAt`.
        kept: How long it is kept.
    """
    name = entry_name(
        scope=origin.scope,
        key=origin.key,
        type_="Episode",
        run_uid=origin.run_uid,
        path="",
        round_=origin.round,
        ordinal=0,
    )
    source = {
        "at": timestamp(origin.at),
        "run": origin.run,
        "runUid": origin.run_uid,
        "round": origin.round,
        **({"workflow": origin.workflow} if origin.workflow else {}),
    }
    spec = {
        "scope": origin.scope,
        "key": origin.key,
        "type": "Episode",
        "text": beginning(value),
        "value": value,
        "succeeded": succeeded,
        "scheduledAt": scheduled_at,
        "source": source,
        "expiresAt": timestamp(origin.at + kept),
    }
    labels = entry_labels(
        scope=origin.scope, key=origin.key, type_="Episode", run_uid=origin.run_uid
    )
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.MEMORY_ENTRY.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
