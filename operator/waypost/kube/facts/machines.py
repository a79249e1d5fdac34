"""Machines (Kubernetes Node objects): the facts that the engine needs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waypost.kube.objects import items, moment


@dataclass(frozen=True)
class MachineFact:
    """A Node object of the cluster, as it was read at `looked_at`."""

    name: str
    looked_at: datetime
    ready: bool
    since: datetime | None = None  # last change of the condition Ready
    exists: bool = True
    live: bool = False  # read in this pass
    unread: str = ""  # why it could not be read; then it counts as ready


def machine_fact(body: Any, *, name: str, looked_at: datetime) -> MachineFact:
    """The fact of a Node object."""
    for item in items(body, "status", "conditions"):
        if item.get("type") == "Ready":
            ready, since = item.get("status") == "True", moment(item, "lastTransitionTime")
            return MachineFact(name, looked_at, ready=ready, since=since)
    return MachineFact(name, looked_at, ready=False)
