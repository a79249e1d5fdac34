"""Where the time of an attempt went: queue, scheduling, image pull, start-up, work.

Status has the times of an attempt: launched, admitted by its queue, scheduled, started, finished.
What lies between is known in more detail as long as its pod and the Events on it exist.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from waypost.api.base import JsonObject
from waypost.api.meta import LABEL_ATTEMPT
from waypost.api.status import AttemptStatus
from waypost.kube.facts.pods import pod_fact
from waypost.kube.objects import items, moment, section, text
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.views.models import Segment
from waypost.views.related import Related

Mark = tuple[str, datetime | None]  # the segment that ends at this time


def segments(
    attempt: AttemptStatus, path: str, related: Related, *, now: datetime
) -> list[Segment]:
    """The parts of an attempt in order, without gaps; those of no length are left out.

    Args:
        attempt: The attempt.
        path: The path that its pod names: that of its node, item or iteration.
        related: Pods and Events, as far as they were read.
        now: The end of an attempt that is running.
    """
    launched = parse_timestamp(attempt.launched_at)
    if launched is None:
        return []
    started, finished = parse_timestamp(attempt.started_at), parse_timestamp(attempt.finished_at)
    until = started or finished or now
    pod = _pod_of(attempt, path, related.pods)
    marks = _recorded(attempt)
    marks = _before_start(pod, related.events) if pod is not None else marks
    last = "startup" if marks else "queue"
    if attempt.prepared_at and not any(name == "pull" for name, _ in marks):
        # Without Events: nothing was left but the image and the creation of the container.
        marks, last = [*marks, ("startup", parse_timestamp(attempt.prepared_at))], "pull"
    marks.append((_current(marks) if started is None else last, until))
    found = list(_cut(launched, until, marks))
    if started is not None:
        found += _cut(started, finished or now, [("work", finished or now)])
    return found


def _recorded(attempt: AttemptStatus) -> list[Mark]:
    """The ends of the segments that status has: what is left when the pod is gone."""
    known = (("queue", attempt.queued_until), ("scheduling", attempt.scheduled_at))
    return [(name, parse_timestamp(time)) for name, time in known if time]


def _pod_of(attempt: AttemptStatus, path: str, pods: Iterable[JsonObject]) -> JsonObject | None:
    """The pod of an attempt: the one whose result was used, else the first one that names it."""
    own = []
    for pod in pods:
        labels = section(pod, "metadata", "labels")
        if text(labels, LABEL_ATTEMPT) != str(attempt.number):
            continue
        fact = pod_fact(pod)
        if fact is not None and fact.path == path:
            if fact.uid == attempt.pod_uid:
                return pod
            own.append(pod)
    return own[0] if own and not attempt.pod_uid else None


def _before_start(pod: JsonObject, events: Iterable[JsonObject]) -> list[Mark]:
    """The ends of the segments before the start of the container; None if it was not seen."""
    scheduled = [
        moment(condition, "lastTransitionTime")
        for condition in items(pod, "status", "conditions")
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True"
    ]
    uid = text(section(pod, "metadata"), "uid")
    own = [event for event in events if text(section(event, "involvedObject"), "uid") == uid]
    pulling = _first(own, "Pulling")
    marks: list[Mark] = [
        ("queue", moment(section(pod, "metadata"), "creationTimestamp")),
        ("scheduling", scheduled[0] if scheduled else None),
    ]
    # An image that is there is not pulled, but has an Event all the same.
    return (
        marks
        if pulling is None
        else [*marks, ("startup", pulling), ("pull", _first(own, "Pulled"))]
    )


def _current(marks: list[Mark]) -> str:
    """The segment in which an attempt is that has not started."""
    missing = [name for name, time in marks if time is None]
    return missing[0] if missing else "startup" if marks else "queue"


def _first(events: Iterable[JsonObject], reason: str) -> datetime | None:
    times = (
        moment(event, "firstTimestamp") or moment(event, "eventTime")
        for event in events
        if event.get("reason") == reason
    )
    return min((time for time in times if time is not None), default=None)


def _cut(start: datetime, end: datetime, marks: Iterable[Mark]) -> Iterator[Segment]:
    """The time from `start` to `end`, cut at the marks; marks in the wrong order have no length."""
    at = start
    for name, time in marks:
        if time is None:
            continue
        until = min(max(time, at), end)
        seconds = round((until - at).total_seconds(), 3)
        if seconds > 0:
            yield Segment(name=name, start=timestamp(at), end=timestamp(until), seconds=seconds)
        at = until
