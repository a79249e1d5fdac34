"""What objects say has occurred."""

from typing import Any

import pytest
from waypost.notifier.core.messages import message
from waypost.notifier.core.occurrences import KINDS, Occurrence, occurrences
from waypost.ports.cluster import Kind

AT = "2026-03-01T09:00:00Z"
LATER = "2026-03-01T09:30:00Z"
SECONDS = 1772355600.0
RUN, APPROVAL, SCHEDULE = KINDS


def condition(type_: str, status: str, reason: str = "", at: str = AT) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": at}


def body(spec: Any = None, status: Any = None, *, uid: str = "u1") -> dict[str, Any]:
    metadata = {"namespace": "team-a", "name": "triage", "uid": uid, "creationTimestamp": AT}
    return {"metadata": metadata, "spec": spec or {}, "status": status or {}}


def run(phase: str, *conditions: Any, **status: Any) -> dict[str, Any]:
    return body(None, {"phase": phase, "conditions": list(conditions), **status})


ASKED = {"run": "triage", "path": "approve"}
STALLED = condition("Stalled", "True", "TemplateNotFound")
PAUSED = condition("Stalled", "True", "Paused")
FAILED = condition("Succeeded", "False", "NodeFailed")


@pytest.mark.parametrize(
    ("kind", "found", "expected"),
    [
        pytest.param(APPROVAL, body(ASKED), ["ApprovalOpened"], id="asked"),
        pytest.param(
            APPROVAL,
            body({**ASKED, "expiresAt": LATER}),
            ["ApprovalOpened", "ApprovalExpiring"],
            id="asked-with-an-end",
        ),
        pytest.param(
            APPROVAL, body({**ASKED, "expiresAt": AT}), ["ApprovalOpened"], id="no-time-at-all"
        ),
        pytest.param(APPROVAL, body(ASKED, {"state": "Approved"}), [], id="approved"),
        pytest.param(APPROVAL, body(ASKED, {"state": "Withdrawn"}), [], id="withdrawn"),
        pytest.param(
            APPROVAL,
            body(ASKED, {"state": "Denied", "expired": True, "decidedAt": LATER}),
            ["ApprovalExpired"],
            id="expired",
        ),
        pytest.param(RUN, run("Running"), [], id="running"),
        pytest.param(RUN, run("Succeeded", finishedAt=AT), [], id="succeeded"),
        pytest.param(RUN, run("Cancelled", STALLED, finishedAt=AT), [], id="cancelled"),
        pytest.param(RUN, run("Failed", STALLED, finishedAt=AT), ["RunFailed"], id="failed"),
        pytest.param(
            RUN,
            run("Rejected", condition("Accepted", "False", "InvalidSpec"), STALLED),
            ["RunRejected"],
            id="rejected",
        ),
        pytest.param(RUN, run("Paused", PAUSED), ["RunPaused"], id="paused"),
        pytest.param(RUN, run("Running", PAUSED), ["RunPaused"], id="paused-in-part"),
        pytest.param(RUN, run("Pending", STALLED), ["RunStalled"], id="stalled"),
        pytest.param(RUN, run("Running", condition("Stalled", "False")), [], id="not-stalled"),
        pytest.param(
            RUN,
            body({"parent": {"run": "p"}}, {"phase": "Failed", "finishedAt": AT}),
            [],
            id="child",
        ),
        pytest.param(
            SCHEDULE,
            body(None, {"conditions": [condition("Blocked", "True", "RunInProgress")]}),
            ["ScheduleBlocked"],
            id="blocked",
        ),
        pytest.param(
            SCHEDULE, body(None, {"conditions": [condition("Blocked", "False")]}), [], id="free"
        ),
    ],
)
def test_what_has_occurred(kind: Kind, found: Any, expected: list[str]) -> None:
    """S730"""
    assert [one.type for one in occurrences(kind, found)] == expected


def test_names_reasons_and_times() -> None:
    """S729"""
    [one] = occurrences(RUN, run("Failed", FAILED, finishedAt=LATER, round=3))
    assert one == Occurrence(
        id=one.id,
        type="RunFailed",
        at=SECONDS + 1800,
        uid="u1",
        namespace="team-a",
        name="triage",
        run="triage",
        round=3,
        reason="NodeFailed",
    )
    opened, expiring = occurrences(APPROVAL, body({**ASKED, "expiresAt": LATER}))
    assert (opened.at, opened.run, opened.path) == (SECONDS, "triage", "approve")
    assert expiring.at == SECONDS + 1800 - 180, "a tenth of half an hour before its end"


def test_s764_each_level_of_an_escalation_is_reported() -> None:
    [one] = occurrences(APPROVAL, body({**ASKED, "level": 1}))
    assert (one.type, one.level) == ("ApprovalOpened", 1)
    message_ = message("Json", one, ui_url="")
    assert message_["data"]["level"] == 1
    gone = body(ASKED, {"state": "Withdrawn", "escalatedTo": "triage-approve-1-1-abcd"})
    assert occurrences(APPROVAL, gone) == ()


def test_ids_tell_occurrences_apart_and_never_change() -> None:
    """S731: the hash of what it is computed from; another one would repeat every message."""
    failed = run("Failed", FAILED, finishedAt=AT, round=1)
    again = run("Failed", FAILED, finishedAt=LATER, round=2)
    paused = [run("Paused", {**PAUSED, "lastTransitionTime": at}) for at in (AT, LATER)]
    others = [body(ASKED), body(ASKED, uid="u2")]
    found = [
        *(one.id for each in (failed, again, *paused) for one in occurrences(RUN, each)),
        *(one.id for each in others for one in occurrences(APPROVAL, each)),
    ]
    assert len(set(found)) == 6
    assert found[0] == "bac3926320374baac93a3e45"
    edited = {**failed, "metadata": {**failed["metadata"], "resourceVersion": "9"}}
    assert [one.id for one in occurrences(RUN, edited)] == found[:1]


ODD: list[Any] = [None, 7, "x", [], {}, [None], {"a": None}, True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_objects_say_nothing(kind: Kind, odd: Any) -> None:
    """S730: one poisoned object must not end the notifier."""
    occurrences(kind, {"metadata": odd, "spec": odd, "status": odd})
    strange = {
        "phase": "Failed",
        "round": odd,
        "finishedAt": odd,
        "conditions": [odd, {"type": odd, "status": odd, "lastTransitionTime": odd}],
        "state": odd,
        "expired": True,
        "decidedAt": odd,
        "blockedBy": odd,
    }
    occurrences(kind, body({"run": odd, "path": odd, "expiresAt": odd, "parent": odd}, strange))
