"""What the judges are shown, and how it is read."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from e2e.bench.audit import Request
from e2e.chaos.history import History
from e2e.suite.kube import Obj

RUN: Final = "waypost.dev/run"
NODE: Final = "waypost.dev/node"
ATTEMPT: Final = "waypost.dev/attempt"

Place = tuple[str, str]  # run uid, node


@dataclass(frozen=True)
class Evidence:
    """Of one namespace. `starts`: entries of the ledger; `requests`: of the audit log."""

    history: History
    starts: Sequence[Obj] = ()
    requests: Sequence[Request] = ()


def records_of(history: History) -> dict[Place, list[Obj]]:
    """The commit records in the termination messages of pods, by node, each once."""
    found: dict[Place, dict[str, Obj]] = defaultdict(dict)
    for seen in history.of("pods"):
        place = place_of(seen.body)
        for status in seen.body.get("status", {}).get("containerStatuses", []):
            ended = status["state"].get("terminated")
            if place is None or status["name"] != "node" or not ended:
                continue
            record = _parsed(ended.get("message", ""))
            if record is not None and record.get("podUID") == seen.body["metadata"]["uid"]:
                found[place][record["podUID"]] = record
    return defaultdict(list, {place: list(by_pod.values()) for place, by_pod in found.items()})


def _parsed(message: str) -> Obj | None:
    try:
        record = json.loads(message)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "podUID" in record else None


def place_of(body: Obj) -> Place | None:
    """The run and node that a Job, pod or Approval belongs to; none where it belongs to no run."""
    labels = body["metadata"].get("labels", {})
    return (labels[RUN], labels[NODE]) if NODE in labels else None


def last(history: History, kind: str) -> dict[str, Obj]:
    """The latest version of each object that was ever seen, by uid."""
    return {seen.body["metadata"]["uid"]: seen.body for seen in history.of(kind)}


def is_over(pod: Obj) -> bool:
    """Whether its program has ended, whatever a sidecar still does."""
    status = pod.get("status", {})
    ended = any(
        one["name"] == "node" and "terminated" in one["state"]
        for one in status.get("containerStatuses", [])
    )
    return ended or status.get("phase") in ("Succeeded", "Failed")


def is_ready(node: Obj) -> bool:
    """Whether the cluster believes that a machine can be reached."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def named(run: Obj) -> str:
    """For messages."""
    return str(run["metadata"]["name"])
