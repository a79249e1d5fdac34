"""Which names a request gets (S602, S603, S767). tests/admission/test_stamp.py has the matrix of
people and decisions on a real API server, with the webhook and with the policy."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from waypost.admission.core.review import NotAReview, answer_of

from tests.admission_webhook.reviews import Obj, added, review

RUN, SCHEDULE, APPROVAL = "agentworkflows", "agentworkflowschedules", "approvals"
BY_RITA = {"/spec/requestedBy": "rita"}
ROUND = {"/spec/rerun/requestedBy": "rita"}


@dataclass(frozen=True)
class Row:
    """A request of rita. `old` is None for a new object. `why` is for the reader."""

    name: str
    resource: str
    spec: Obj | None
    old: Obj | None
    expected: Obj = field(default_factory=dict)
    why: str = ""


ROWS = [
    Row("new-run", RUN, {"nodes": []}, None, BY_RITA),
    Row("claimed", RUN, {"requestedBy": "zoe"}, None, why="the policy refuses it, not the webhook"),
    Row("new-run-in-round-2", RUN, {"rerun": {"round": 2}}, None, {**BY_RITA, **ROUND}),
    Row("rerun-without-a-round", RUN, {"rerun": {}}, None, BY_RITA, "the CRD refuses it"),
    Row(
        "replaced",
        RUN,
        {"suspend": True},
        {"requestedBy": "ann"},
        {"/spec/requestedBy": "ann"},
        "a replaced object keeps its creator",
    ),
    Row("patched", RUN, {"requestedBy": "ann"}, {"requestedBy": "ann"}),
    Row("older-than-names", RUN, {"suspend": True}, {}, why="nobody knows who created it"),
    Row(
        "next-round",
        RUN,
        {"requestedBy": "ann", "rerun": {"round": 3, "requestedBy": "ann"}},
        {"requestedBy": "ann", "rerun": {"round": 2, "requestedBy": "ann"}},
        ROUND,
        "a merge patch leaves the name of the last round",
    ),
    Row(
        "next-round-with-a-name",
        RUN,
        {"requestedBy": "ann", "rerun": {"round": 3, "requestedBy": "uma"}},
        {"requestedBy": "ann", "rerun": {"round": 2, "requestedBy": "ann"}},
        why="the policy refuses it",
    ),
    Row(
        "same-round",
        RUN,
        {"requestedBy": "ann", "rerun": {"round": 2}},
        {"requestedBy": "ann", "rerun": {"round": 2}},
        why="it was raised by somebody else",
    ),
    Row("schedule", SCHEDULE, {"template": {"spec": {}}}, None, BY_RITA),
    Row("schedule-claimed", SCHEDULE, {"requestedBy": "zoe"}, None),
    Row(
        "template-changed",
        SCHEDULE,
        {"template": {"spec": {"a": 1}}, "requestedBy": "ann"},
        {"template": {"spec": {}}, "requestedBy": "ann"},
        BY_RITA,
    ),
    Row(
        "template-changed-with-a-name",
        SCHEDULE,
        {"template": {"spec": {"a": 1}}, "requestedBy": "uma"},
        {"template": {"spec": {}}, "requestedBy": "ann"},
    ),
    Row(
        "schedule-replaced",
        SCHEDULE,
        {"suspend": True},
        {"requestedBy": "ann"},
        {"/spec/requestedBy": "ann"},
    ),
    Row(
        "decision",
        APPROVAL,
        {"decision": "Approved"},
        {"question": "?"},
        {"/spec/decidedBy": "rita"},
    ),
    Row("decision-with-a-name", APPROVAL, {"decision": "Denied", "decidedBy": "zoe"}, {}),
    Row("no-decision", APPROVAL, {"comment": "later"}, {}),
    Row("new-question", APPROVAL, {"decision": "Approved"}, None, why="only the operator asks"),
    Row("another-kind", "noderecords", {"decision": "Approved"}, {}),
    Row("no-spec", RUN, None, None, BY_RITA, "the API server does not send it (matchConditions)"),
    Row("spec-of-text", RUN, {"rerun": "x", "requestedBy": 1}, {"rerun": []}),  # the CRD refuses
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_s767_what_is_added(row: Row) -> None:
    assert added(answer_of(review(row.resource, row.spec, old=row.old))) == row.expected, row.why


def test_a_delete_gets_no_name() -> None:
    asked = review(RUN, None, old={"nodes": []}, operation="DELETE")
    assert added(answer_of(asked)) == {}


def _without(*path: str) -> Any:
    body = review(RUN, {})
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param([], "kind: expected AdmissionReview", id="a-list"),
        pytest.param({**review(RUN, {}), "kind": "Pod"}, "kind: expected", id="another-kind"),
        pytest.param(
            {**review(RUN, {}), "apiVersion": "admission.k8s.io/v1beta1"},
            "apiVersion: expected admission.k8s.io/v1",
            id="another-version",
        ),
        pytest.param(_without("request"), "request.resource.resource: expected text", id="empty"),
        pytest.param(_without("request", "uid"), "request.uid: expected text", id="no-uid"),
        pytest.param(
            _without("request", "userInfo", "username"), "request.userInfo.username", id="no-user"
        ),
        pytest.param(_without("request", "operation"), "request.operation", id="no-operation"),
    ],
)
def test_what_is_no_review(body: Any, says: str) -> None:
    with pytest.raises(NotAReview, match=says):
        answer_of(body)
