"""Where the definition of a run comes from: its own spec, or one version of a template.

`needed` says what a pass must read before it knows the definition; the other types say what the
reads have found. No I/O.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waypost.api.base import JsonObject
from waypost.api.status import AgentWorkflowStatus, PinnedTemplate
from waypost.compiler.definition import Definition
from waypost.kube import objects


@dataclass(frozen=True)
class Own:
    """The nodes stand in the run."""


@dataclass(frozen=True)
class Settled:
    """The run has ended, or was rejected, and its spec has not changed since: nothing is read."""


@dataclass(frozen=True)
class Pinned:
    """The version that the status names.

    `restored` is the record to create again: it no longer exists, and the template still has its
    content.
    """

    pin: PinnedTemplate
    restored: JsonObject | None = None


@dataclass(frozen=True)
class Fresh:
    """The current version of a template, read live: `record`, the manifest of a NodeRecord, must
    exist before a status names it."""

    pin: PinnedTemplate
    record: JsonObject
    suspended: bool = False


@dataclass(frozen=True)
class Missing:
    """A live read found no such template."""

    name: str
    local: bool = False


@dataclass(frozen=True)
class Lost:
    """A live read found no record of the version that the status names, and the template has
    another content now, or is gone."""

    pin: PinnedTemplate
    template_exists: bool


@dataclass(frozen=True)
class Unread:
    """The template, or the record of the version that the status names, could not be read.

    Attributes:
        text: What could not be read and why, and what to do.
        retry_at: When it is read again.
        pinned: Whether it is the definition that the status names.
    """

    text: str
    retry_at: datetime
    pinned: bool


Origin = Own | Settled | Pinned | Fresh | Missing | Lost | Unread


@dataclass(frozen=True)
class Keep:
    """The definition is that of `pin`."""

    pin: PinnedTemplate


@dataclass(frozen=True)
class Take:
    """The definition is that of the template with this name, read live: an AgentWorkflowTemplate,
    or a local template of the parent run."""

    name: str
    local: bool = False


def needed(
    spec: Any, status: AgentWorkflowStatus, *, generation: int
) -> Own | Settled | Keep | Take:
    """What the definition of a run follows from.

    Args:
        spec: `spec` of the run, as JSON.
        status: Its status.
        generation: Its metadata.generation.

    Returns:
        Own: of the spec alone. Settled: it is not needed. Keep: of the record that the status
        names. Take: of the template as it is now, for a run that is not accepted yet, or for a new
        round that requests the latest version or another template.
    """
    name = objects.text(objects.section(spec, "templateRef"), "name")
    if not name:
        return Own()
    rerun = objects.section(spec, "rerun")
    requested = _requests_round(spec, status)
    # A round that is requested while compensations or finally run begins after them.
    cleans_up = status.stage in ("Compensating", "Finalizing")
    begins = requested and (not cleans_up or status.finished_at is not None)
    rejected = status.phase == "Rejected"
    if rejected and status.observed_generation == generation:
        return Settled()
    if status.finished_at is not None and not rejected and not requested:
        return Settled()
    pin = status.template
    if pin is None or (begins and (rerun.get("template") == "Latest" or pin.name != name)):
        return Take(name, local=objects.section(spec, "parent").get("local") is True)
    return Keep(pin)


def is_decided(spec: Any, status: AgentWorkflowStatus) -> bool:
    """Whether a run with its own nodes was accepted, and requests no other round: the templates
    that its nodes call are not read any more."""
    return bool(status.nodes) and not _requests_round(spec, status)


def is_settled(status: AgentWorkflowStatus, definition: Definition, *, generation: int) -> bool:
    """Whether a run with its own nodes was rejected because of the templates that they call. As
    for runs of a template, only a change of the spec of the run makes the operator look again."""
    rejected = status.phase == "Rejected" and status.observed_generation == generation
    calls = any(node.workflow is not None for node in definition.graph.nodes.values())
    return rejected and calls and not definition.problems


def _requests_round(spec: Any, status: AgentWorkflowStatus) -> bool:
    round_ = objects.section(spec, "rerun").get("round")
    return isinstance(round_, int) and round_ > status.round
