"""Updates that concern who asked and who answered: what the CRDs refuse without any policy."""

from typing import Any

from tests.crds.manifests import approval, workflow
from tests.crds.transitions import FINAL_QUESTION, row, spec

TRANSITIONS: list[Any] = [
    row(
        "digest-of-another-question",
        approval(),
        None,
        spec(decision="Approved", decidedDigest="sha256:11"),
        "decidedDigest is that of another question",
    ),
    row("digest", approval(), None, spec(decision="Approved", decidedDigest="sha256:00")),
    row("requesters", approval(), None, spec(requesters=["ann"]), *FINAL_QUESTION),
    row(
        "starter-added",
        workflow(),
        None,
        spec(requestedBy="ann"),
        "requestedBy of run ",
        "is set when the run is created, and cannot be added, changed or removed; found ann",
    ),
    row(
        "name-of-a-round-removed",
        workflow(rerun={"round": 2, "requestedBy": "ann"}),
        None,
        spec(rerun={"requestedBy": None}),
        "rerun.requestedBy of run ",
        "is set when the round is raised, and cannot be added, changed or removed",
    ),
    row(
        "name-of-the-next-round",
        workflow(rerun={"round": 2, "requestedBy": "ann"}),
        None,
        spec(rerun={"round": 3, "requestedBy": "bob"}),
    ),
    row(
        "origin-added",
        workflow(),
        None,
        spec(origin={"schedule": "nightly"}),
        "spec.origin of run ",
        "cannot be added, changed or removed: only the operator writes it",
    ),
    row(
        "vote-on-another-question",
        approval(approvers={"users": ["ann", "bob"], "required": 2}),
        None,
        spec(votes={"ann": {"decision": "Approved", "decidedDigest": "sha256:11"}}),
        "a vote has the decidedDigest of another question",
    ),
    row(
        "time-added",
        workflow(),
        None,
        spec(scheduledAt="2026-03-01T02:30:00Z"),
        "scheduledAt of run ",
        "cannot be added, changed or removed; create another run for another time",
    ),
    row(
        "time-changed",
        workflow(scheduledAt="2026-03-01T02:30:00Z"),
        None,
        spec(scheduledAt="2026-03-02T02:30:00Z"),
        "scheduledAt of run ",
    ),
]
