"""One line of a list of runs. It has at most 1 KiB, because a list may have 10,000 of them."""

import json
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.meta import Condition
from waypost.kube.objects import items, section, text
from waypost.schedules.subject import schedule_of
from waypost.views.models import RunRow

LARGEST: Final = 1024  # bytes of its JSON
_LENGTHS: Final = (300, 120, 60, 30, 0)


def row(run: JsonObject) -> RunRow:
    """What a list shows of a run. Never raises: one broken status must not hide other runs."""
    for length in _LENGTHS:
        found = _row(run, length)
        if len(json.dumps(found.to_json(), ensure_ascii=False).encode()) <= LARGEST:
            return found
    raise AssertionError("names alone fit")


def _row(run: JsonObject, length: int) -> RunRow:
    metadata, spec, status = (section(run, key) for key in ("metadata", "spec", "status"))
    used, round_ = section(status, "usage"), status.get("round")
    tokens = used.get("totalTokens")
    if not isinstance(tokens, int):
        parts = (used.get("inputTokens"), used.get("outputTokens"))
        tokens = sum(part for part in parts if isinstance(part, int)) or None
    return RunRow(
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        uid=text(metadata, "uid")[:64],
        phase=text(status, "phase")[:32] or "Pending",
        progress=text(status, "progress")[:32],
        round=round_ if isinstance(round_, int) else 1,
        waiting=text(status, "waiting")[:length] or None,
        reason=_reason(status)[:length] or None,
        template=text(section(spec, "templateRef"), "name")[:length] or None,
        parent=text(section(spec, "parent"), "run")[:length] or None,
        schedule=schedule_of(run)[:63] or None,
        scheduled_at=text(spec, "scheduledAt")[:32] or None,
        requested_by=(text(spec, "requestedBy") or text(section(spec, "origin"), "requestedBy"))[
            :length
        ]
        or None,
        created_at=text(metadata, "creationTimestamp")[:32] or None,
        started_at=text(status, "startedAt")[:32] or None,
        finished_at=text(status, "finishedAt")[:32] or None,
        total_tokens=tokens,
        costUSD=text(used, "costUSD")[:40] or None,
        estimated=True if used.get("estimatedModelCalls") else None,
    )


def _reason(status: JsonObject) -> str:
    """The reason of a run that failed or was rejected."""
    for condition in items(status, "conditions"):
        if condition.get("status") == "False" and condition.get("type") in (
            Condition.SUCCEEDED,
            Condition.ACCEPTED,
        ):
            return text(condition, "reason")
    return ""
