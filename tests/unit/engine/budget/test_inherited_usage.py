"""Foreign images with large outputs: two containers, one outcome."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.engine.attempts.judge import judge_pod, needs_record
from waypost.engine.state.outcome import Failed, Outcome, Succeeded
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.kube.payloads import RecordFact
from waypost.protocol import carrying
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, Stored, encode

WHOSE = Attempt("run-uid", "a", 1, 1, "pod-uid")
AT = "2026-01-01T00:00:00Z"


def ended(code: int = 0, message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message, "startedAt": AT, "finishedAt": AT}}


def pod_of(program: dict[str, Any], carrier: dict[str, Any] | None, phase: str = "Running") -> Any:
    """The body of a pod with a sidecar, in the states of its two containers."""
    return {
        "metadata": {
            "name": "pod",
            "uid": WHOSE.pod_uid,
            "labels": {meta.LABEL_RUN: "run-uid", meta.LABEL_ATTEMPT: "1", meta.LABEL_NODE: "a"},
        },
        "spec": {"nodeName": "n", "initContainers": [{"name": carrying.CONTAINER}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": meta.NODE_CONTAINER, "state": program}],
            "initContainerStatuses": [{"name": carrying.CONTAINER, "state": carrier or {}}],
        },
    }


def fact_of(*states: Any, **how: Any) -> PodFact:
    fact = pod_fact(pod_of(*states, **how))
    assert fact is not None
    return fact


def record(**fields: Any) -> str:
    return encode(CommitRecord(WHOSE, "Succeeded", **fields)).decode()


def judged(
    fact: PodFact, *, stopping: str | None = None, kept: RecordFact | None = None
) -> Outcome:
    return judge_pod(
        fact,
        kind="container",
        expect=WHOSE,
        output_schema=None,
        stopping=stopping,
        log=None,
        stored_result=kept,
    )


RUNNING = {"running": {"startedAt": AT}}


@pytest.mark.parametrize(
    ("program", "carrier", "phase", "over", "reason"),
    [
        pytest.param(RUNNING, RUNNING, "Running", False, "both run", id="running"),
        pytest.param(ended(), RUNNING, "Running", False, "it is being carried", id="carrying"),
        pytest.param(ended(), ended(), "Running", True, "nothing runs any more", id="both-ended"),
        pytest.param(
            ended(), {"waiting": {}}, "Succeeded", True, "the kubelet is done", id="phase-decides"
        ),
        pytest.param(
            RUNNING, ended(), "Running", False, "a sidecar that died comes back", id="sidecar-died"
        ),
    ],
)
def test_an_attempt_is_over_when_both_are(
    program: Any, carrier: Any, phase: str, over: bool, reason: str
) -> None:
    assert fact_of(program, carrier, phase=phase).over is over, reason


def test_what_the_sidecar_says_is_the_output() -> None:
    outcome = judged(fact_of(ended(message="a word to the log"), ended(message=record(output=[1]))))
    assert isinstance(outcome, Succeeded)
    assert outcome.output == [1]


@pytest.mark.parametrize(
    ("program", "carrier", "stopping", "expected", "reason"),
    [
        pytest.param(
            ended(3, "no such customer"),
            ended(message=record(output=1)),
            None,
            Reason.NODE_ERROR,
            "the program's exit code says whether it succeeded",
            id="exit-3",
        ),
        pytest.param(
            ended(),
            ended(message=record(output=1)),
            "Timeout",
            Reason.TIMEOUT,
            "a program that ends with 0 on SIGTERM has not done its work",
            id="stopped",
        ),
        pytest.param(
            ended(), ended(137), None, Reason.RESULT_LOST, "nobody has the output", id="no-record"
        ),
        pytest.param(
            ended(message=record(output="forged")),
            ended(137),
            None,
            Reason.RESULT_LOST,
            "the program's own message is no record",
            id="forged",
        ),
        pytest.param(
            ended(),
            ended(
                message=encode(
                    CommitRecord(WHOSE, "Failed", reason="OutputTooLarge", message="413")
                ).decode()
            ),
            None,
            Reason.OUTPUT_TOO_LARGE,
            "the sidecar says why there is none",
            id="too-large",
        ),
        pytest.param(
            ended(),
            ended(message=record(stored=Stored("sha256:" + "a" * 64, 9))),
            None,
            Reason.RESULT_LOST,
            "what is said to be stored must be there",
            id="not-stored",
        ),
    ],
)
def test_what_is_no_success(
    program: Any, carrier: Any, stopping: str | None, expected: Reason, reason: str
) -> None:
    fact = fact_of(program, carrier)
    if stopping:  # the deletion of its pod signalled it
        fact = replace(fact, deleting=True, deleting_since=fact.finished_at)
    outcome = judged(fact, stopping=stopping)
    assert isinstance(outcome, Failed), reason
    assert outcome.reason == expected, (reason, outcome)


def test_the_program_s_own_message_explains_its_exit_code() -> None:
    outcome = judged(fact_of(ended(3, "no such customer"), ended(message=record(output=1))))
    assert isinstance(outcome, Failed)
    assert outcome.message == "exit code 3: no such customer"


@pytest.mark.parametrize(
    ("code", "message", "wanted"),
    [
        pytest.param(0, record(stored=Stored("sha256:" + "a" * 64, 9)), True, id="stored"),
        pytest.param(0, "", True, id="no-record: handed in, perhaps"),
        pytest.param(0, record(output=1), False, id="in-the-record"),
        pytest.param(1, record(stored=Stored("sha256:" + "a" * 64, 9)), False, id="failed"),
    ],
)
def test_a_node_record_is_looked_for_where_it_counts(code: int, message: str, wanted: bool) -> None:
    assert needs_record(fact_of(ended(code), ended(message=message)), WHOSE) is wanted
