"""The run that an event of an EventSource starts: recorded first, created under one name, then
looked for. Pure.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.event.model import EventStart, RunStart, WorkflowEventStatus
from waypost.compiler.rules.nodes.outside import address_problems
from waypost.compiler.templates import body_of, define_run
from waypost.engine.events.lifecycle import Step, settled
from waypost.kube import names, objects, timestamps
from waypost.kube.workflow_events import EventFact

# An operator creates a run within 10 s of its write, so after this none does.
CREATED: Final = timedelta(seconds=12)
# For this long the operator tries to create a run. Its TTL does not end before, so an operator that
# finds no run knows that there never was one.
TRIED: Final = timedelta(minutes=10)
_REFUSED_AGAIN: Final = timedelta(seconds=15)
_MARGIN: Final = timedelta(seconds=60)  # clocks of operators may differ
_TEMPLATE_AGAIN: Final = timedelta(minutes=5)
_LABEL: Final = 63


@dataclass(frozen=True)
class Named:
    """The run with the name of the start, by a live read."""

    exists: bool
    ours: bool = False


def run_name(event: EventFact, start: RunStart) -> str:
    """Name of the run: it follows from the event, so a second create meets AlreadyExists."""
    return names.started_name(template=start.template_ref.name, event_uid=event.uid)


def is_ours(run: Any, event: EventFact) -> bool:
    """Whether a run is that of an event."""
    notes = objects.section(run, "metadata", "annotations")
    return objects.text(notes, meta.ANNOTATION_EVENT) == _mark(event)


def begin(
    event: EventFact, start: RunStart, template: Any, now: datetime, *, held: str, strict: bool
) -> Step:
    """What becomes of a Pending event that starts a run.

    Args:
        event: The event, read live.
        start: Its run.
        template: The body of the template, read live; None if there is none.
        now: The time of the pass.
        held: Why no run is accepted anywhere; "" if they are.
        strict: approvals.mode is Strict.

    Returns:
        The step: begin, wait for the template, or refuse.
    """
    if now >= event.expires_at:
        why = event.status.message or "its run was not started in time"
        return settled("Expired", why, now)
    waits_for = held or _missing(start.template_ref.name, template)
    if waits_for:
        again = min(event.expires_at, now + _TEMPLATE_AGAIN)
        return Step(WorkflowEventStatus(message=waits_for), wake_at=again)
    if refusal := refusal_of(event, start, template, strict=strict):
        return settled("Refused", refusal, now)
    return _create(event, start, now, begun_at=now)


def refusal_of(event: EventFact, start: RunStart, template: Any, *, strict: bool) -> str:
    """Why a template does not take the run of an event; "" if it does."""
    name, spec = start.template_ref.name, objects.section(template, "spec")
    listed = [objects.text(one, "eventSource") for one in objects.items(spec, "triggers")]
    if event.source not in listed:
        return (
            f"AgentWorkflowTemplate {name} does not list EventSource {event.source} in "
            "spec.triggers"
        )
    definition = define_run(_run_spec(start), body_of(name, spec))
    problems = [str(one) for one in definition.problems]
    if strict and not problems and definition.spec is not None:
        found = address_problems(definition.spec, may_start=True)
        problems = [f"approvals.mode is Strict, and {one}" for one in found]
    return f"the run would be rejected: {problems[0]}"[:1024] if problems else ""


def resolve(
    event: EventFact, start: RunStart, named: Named, now: datetime, *, refused: str
) -> Step:
    """What becomes of an event whose start is recorded.

    Args:
        event: The event, read live.
        start: Its run.
        named: The run with the recorded name.
        now: The time of the pass.
        refused: Why the API server refused the last create; "" if it did not.
    """
    recorded = event.status.start
    assert recorded is not None, "called once it is recorded"
    if named.exists and named.ours:
        moment = timestamps.timestamp(now)
        return Step(WorkflowEventStatus(phase="Consumed", start=recorded, settled_at=moment))
    if named.exists:
        return settled("Refused", f"run {recorded.run} exists and is not of this event", now)
    at = _parsed(recorded.at, now)
    begun_at = _parsed(recorded.begun_at, now)
    if now >= begun_at + TRIED:
        if now < at + CREATED:
            return Step(wake_at=at + CREATED)
        why = refused or "the API server did not take it"
        return settled("Refused", f"run {recorded.run} could not be created: {why}"[:1024], now)
    if refused and now < at + _REFUSED_AGAIN:
        return Step(wake_at=at + _REFUSED_AGAIN)
    return _create(event, start, now, begun_at=begun_at)


def _create(event: EventFact, start: RunStart, now: datetime, *, begun_at: datetime) -> Step:
    recorded = EventStart(
        run=run_name(event, start),
        at=timestamps.timestamp(now),
        begun_at=timestamps.timestamp(begun_at),
    )
    status = WorkflowEventStatus(phase="Claimed", start=recorded)
    return Step(status, create=_manifest(event, start, recorded.run, begun_at))


def _manifest(event: EventFact, start: RunStart, name: str, begun_at: datetime) -> JsonObject:
    keep_until = timestamps.timestamp(begun_at + TRIED + _MARGIN)
    short = len(event.source) <= _LABEL
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.AGENT_WORKFLOW.kind,
        "metadata": {
            "name": name,
            "annotations": {
                meta.ANNOTATION_EVENT: _mark(event),
                meta.ANNOTATION_KEEP_UNTIL: keep_until,
                **({meta.ANNOTATION_TRACEPARENT: event.caller} if event.caller else {}),
            },
            **({"labels": {meta.LABEL_EVENT_SOURCE: event.source}} if short else {}),
        },
        "spec": {**_run_spec(start), "origin": {"event": event.name}},
    }


def _run_spec(start: RunStart) -> JsonObject:
    return start.model_dump(by_alias=True, exclude_none=True, mode="json")


def _missing(name: str, template: Any) -> str:
    if template is None:
        return f"AgentWorkflowTemplate {name} does not exist; create it"
    if objects.section(template, "spec").get("suspend") is True:
        return f"AgentWorkflowTemplate {name} is suspended; set its spec.suspend to false"
    return ""


def _mark(event: EventFact) -> str:
    return f"{event.name} {event.uid}"


def _parsed(text: str, now: datetime) -> datetime:
    return min(timestamps.parse_timestamp(text) or now, now)
