"""MemoryEntries: the rows of their list, and a whole one."""

from pydantic import Field

from waypost.api.base import JsonObject
from waypost.kube.memory.entries import Entry, beginning
from waypost.kube.memory.phases import Standing
from waypost.views.models import View


class MemoryRow(View):
    """One line of the list of MemoryEntries. `phase` and `reason`: what the entry is now, computed
    from all entries of its key. `text`: the beginning of its value. `at`: when it was made."""

    name: str
    namespace: str
    scope: str
    key: str
    type: str
    subject: str | None = None
    text: str | None = None
    phase: str
    reason: str
    run: str | None = None
    node: str | None = None
    at: str
    expires_at: str
    decided_by: str | None = None


class MemoryView(MemoryRow):
    """A MemoryEntry with its value. `runUid`, `round`, `attempt` and `outputDigest` say where it
    comes from; `decision`, `decidedBy` and `note` what a person said."""

    value: JsonObject | None = None
    succeeded: bool | None = None
    scheduled_at: str | None = None
    workflow: str | None = None
    run_uid: str | None = None
    round: int | None = None
    attempt: int | None = None
    output_digest: str | None = None
    schema_digest: str | None = None
    review: str | None = Field(default=None)
    decision: str | None = None
    note: str | None = None


def memory_row(entry: Entry, standing: Standing, *, namespace: str) -> MemoryRow:
    """One line of the list."""
    return MemoryRow(**_row(entry, standing, namespace))


def memory_view(entry: Entry, standing: Standing, *, namespace: str) -> MemoryView:
    """The whole entry."""
    spec, source = entry.spec, entry.spec.source
    return MemoryView(
        **_row(entry, standing, namespace),
        value=spec.value,
        succeeded=spec.succeeded,
        scheduled_at=spec.scheduled_at,
        workflow=source.workflow,
        run_uid=source.run_uid,
        round=source.round,
        attempt=source.attempt,
        output_digest=source.output_digest,
        schema_digest=spec.schema_digest,
        review=(spec.review or "Required") if spec.type == "Fact" else None,
        decision=spec.decision,
        note=spec.note,
    )


def _row(entry: Entry, standing: Standing, namespace: str) -> JsonObject:
    spec = entry.spec
    return {
        "name": entry.name,
        "namespace": namespace,
        "scope": spec.scope,
        "key": spec.key,
        "type": spec.type,
        "subject": spec.subject,
        # Not spec.text: it need not be the beginning of the value that runs read.
        "text": beginning(spec.value) if spec.value is not None else None,
        "phase": standing.phase,
        "reason": standing.reason,
        "run": spec.source.run,
        "node": spec.source.path,
        "at": spec.source.at,
        "expires_at": spec.expires_at,
        "decided_by": spec.decided_by,
    }
