"""The names that a request lacks, as JSON Patch. The same rules stand as CEL in the chart
(`templates/policies/stamp.yaml`), for API servers that evaluate them; one test runs both (S767)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import section

Operation = dict[str, Any]  # of a JSON Patch, RFC 6902

CREATE: Final = "CREATE"
_UPDATE: Final = "UPDATE"


@dataclass(frozen=True)
class Change:
    """A request that creates or updates an object.

    Attributes:
        resource: Plural name of the kind, such as `approvals`.
        operation: CREATE, UPDATE, or another one, which gets no name.
        user: Who sends the request.
        spec: `spec` of the object as requested.
        old: `spec` of the object as stored; empty for CREATE.
    """

    resource: str
    operation: str
    user: str
    spec: Mapping[str, Any]
    old: Mapping[str, Any]

    @property
    def creates(self) -> bool:
        """Whether the object is new."""
        return self.operation == CREATE


def missing_names(change: Change) -> list[Operation]:
    """What to add to the object of a request; nothing if it has all names."""
    if change.operation not in (CREATE, _UPDATE):
        return []
    rule = _RULES.get(change.resource)
    return [] if rule is None else rule(change)


def _of_run(change: Change) -> list[Operation]:
    """Who created the run, and who raised its round. A replaced object keeps its creator."""
    spec, old = change.spec, change.old
    added = []
    if "requestedBy" not in spec:
        if change.creates:
            added.append(_add("/spec/requestedBy", change.user))
        elif "requestedBy" in old:
            added.append(_add("/spec/requestedBy", old["requestedBy"]))
    rerun, before = section(spec, "rerun"), section(old, "rerun")
    # The name of the last round stays in a merge patch that only raises the number.
    kept = rerun.get("requestedBy") == before.get("requestedBy")
    if "round" in rerun and (
        "requestedBy" not in rerun
        if change.creates
        else rerun["round"] != before.get("round") and ("requestedBy" not in rerun or kept)
    ):
        added.append(_add("/spec/rerun/requestedBy", change.user))
    return added


def _of_schedule(change: Change) -> list[Operation]:
    """Who last wrote its template, which is what its runs do."""
    spec, old = change.spec, change.old
    name, before = spec.get("requestedBy"), old.get("requestedBy")
    if change.creates or spec.get("template") != old.get("template"):
        claimed = "requestedBy" in spec and (change.creates or name != before)
        return [] if claimed else [_add("/spec/requestedBy", change.user)]
    if before is not None and "requestedBy" not in spec:
        return [_add("/spec/requestedBy", before)]
    return []


def _of_approval(change: Change) -> list[Operation]:
    """Who decides."""
    unnamed = "decision" in change.spec and "decidedBy" not in change.spec
    if change.creates or not unnamed:
        return []
    return [_add("/spec/decidedBy", change.user)]


_RULES: Final[Mapping[str, Callable[[Change], list[Operation]]]] = {
    meta.AGENT_WORKFLOW.plural: _of_run,
    meta.AGENT_WORKFLOW_SCHEDULE.plural: _of_schedule,
    meta.APPROVAL.plural: _of_approval,
}


def _add(path: str, name: str) -> Operation:
    return {"op": "add", "path": path, "value": name}
