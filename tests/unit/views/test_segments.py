"""Where the time of an attempt went."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.meta import ANNOTATION_PATH, LABEL_ATTEMPT, LABEL_RUN
from waypost.api.status import AttemptStatus
from waypost.views.related import Related
from waypost.views.run.segments import segments

from tests.support.builders import RUN_UID, after
from tests.unit.views.objects import at


def pod(*, uid: str = "p1", scheduled: float | None = 3, path: str = "a") -> JsonObject:
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(scheduled or 0)}
    ]
    return {
        "metadata": {
            "uid": uid,
            "name": uid,
            "creationTimestamp": at(2),
            "labels": {LABEL_RUN: RUN_UID, LABEL_ATTEMPT: "1"},
            "annotations": {ANNOTATION_PATH: path},
        },
        "status": {"conditions": conditions if scheduled is not None else []},
    }


def event(reason: str, seconds: float, uid: str = "p1") -> JsonObject:
    return {"reason": reason, "firstTimestamp": at(seconds), "involvedObject": {"uid": uid}}


PULLED = (event("Pulling", 4), event("Pulled", 7))


def attempt(**times: Any) -> AttemptStatus:
    given = {"startedAt": at(8), "finishedAt": at(20), "podUid": "p1", **times}
    return AttemptStatus.model_validate({"number": 1, "job": "j", "launchedAt": at(0), **given})


@pytest.mark.parametrize(
    ("one", "related", "expected"),
    [
        pytest.param(
            attempt(),
            Related(pods=(pod(),), events=PULLED),
            "queue 2 scheduling 1 startup 1 pull 3 startup 1 work 12",
            id="everything-is-known",
        ),
        pytest.param(attempt(), Related(), "queue 8 work 12", id="pod-is-gone"),
        pytest.param(
            attempt(scheduledAt=at(3), preparedAt=at(4)),
            Related(),
            "scheduling 3 startup 1 pull 4 work 12",
            id="S753-the-pull-outlives-the-events",
        ),
        pytest.param(
            attempt(scheduledAt=at(3)),
            Related(),
            "scheduling 3 startup 5 work 12",
            id="the-status-outlives-the-pod",
        ),
        pytest.param(
            attempt(queuedUntil=at(1), scheduledAt=at(3)),
            Related(),
            "queue 1 scheduling 2 startup 5 work 12",
            id="the-status-of-a-queued-attempt-outlives-the-pod",
        ),
        pytest.param(
            attempt(),
            Related(pods=(pod(),)),
            "queue 2 scheduling 1 startup 5 work 12",
            id="events-are-gone-or-image-was-there",
        ),
        pytest.param(
            attempt(),
            Related(pods=(pod(uid="p2"),)),
            "queue 8 work 12",
            id="another-pod-of-the-job",
        ),
        pytest.param(
            attempt(startedAt=None, finishedAt=None, podUid=None),
            Related(pods=(pod(scheduled=None),)),
            "queue 2 scheduling 28",
            id="not-scheduled-yet",
        ),
        pytest.param(
            attempt(),
            Related(pods=(pod(scheduled=1),), events=(event("Pulling", 30), event("Pulled", 1))),
            "queue 2 startup 6 work 12",
            id="clocks-that-disagree",
        ),
        pytest.param(attempt(startedAt=None), Related(), "queue 20", id="never-started"),
    ],
)
def test_segments_have_no_gaps(one: AttemptStatus, related: Related, expected: str) -> None:
    found = segments(one, "a", related, now=after(30))
    assert " ".join(f"{part.name} {part.seconds:.0f}" for part in found) == expected
    assert [part.end for part in found[:-1]] == [part.start for part in found[1:]]
