"""The version of a template that a run is pinned to: the record before the status that names it.

The definition of a run of a template never comes from the template after the write that accepts the
run. Only a new round can take another version.
"""

from dataclasses import replace

from waypost.api.changes import changed_run
from waypost.compiler.origin import Fresh, Lost, Own, Pinned
from waypost.engine.run.pausing import patch_command
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.observed import Observed


def pinned(observed: Observed) -> Observed:
    """The run with a status that names the definition with which it continues."""
    status, origin = observed.status, observed.origin
    if isinstance(origin, Fresh) and status.template != origin.pin:
        return replace(observed, status=changed_run(status, template=origin.pin))
    if isinstance(origin, Own) and status.template is not None:  # a round without the template
        return replace(observed, status=changed_run(status, template=None))
    return observed


def records(observed: Observed) -> list[PutRecord]:
    """The record that must exist before the next status is written."""
    origin = observed.origin
    if isinstance(origin, Fresh):
        return [PutRecord(origin.record)]
    if isinstance(origin, Pinned) and origin.restored is not None:
        return [PutRecord(origin.restored)]
    return []


def unstored(observed: Observed) -> str:
    """Why the record of a version that no status names yet could not be written; "" if it was
    written, or was not tried yet."""
    origin = observed.origin
    if not isinstance(origin, Fresh):
        return ""
    name = origin.pin.record
    if name in observed.existing_records:
        return "it exists with another content; delete it"
    problem = observed.write_problems.get(name)
    return problem.message if problem is not None else ""


def lost_text(observed: Observed, origin: Lost) -> str:
    """That the definition of a run is lost, and what a person can do."""
    pin = origin.pin
    local = observed.lineage is not None and observed.lineage.local is True
    template = f"{'local template' if local else 'AgentWorkflowTemplate'} {pin.name}"
    found = f"{template} {'has changed since' if origin.template_exists else 'no longer exists'}"
    latest = patch_command(observed, {"round": observed.status.round + 1, "template": "Latest"})
    return (
        f"NodeRecord {pin.record}, which held the definition of this run, no longer exists, and "
        f"{found}. Nothing starts. Create the record again from a backup, cancel the run, or take "
        f"the current version of the template in a new round: {latest}"
    )
