"""How an attempt ended: the truth table of records, exit codes, phases and the cluster's words."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.engine.attempts.judge import judge_pod, needs_log, never_started
from waypost.engine.state.outcome import Failed, Parked, Succeeded
from waypost.kube.facts.other_containers import InitFact
from waypost.kube.facts.pods import PodFact, trouble_of
from waypost.protocol.isolation import PROBE

from tests.support.builders import (
    NOW,
    after,
    done,
    exited,
    failure_record,
    pod,
    record,
    ref,
    running,
)

OK = record({"n": 1})
TAINTED = "DeletionByTaintManager: taint manager: deleting due to NoExecute taint"
OWN_STORAGE = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
EVICTION_API = "EvictionByEvictionAPI: Eviction API: evicting"
PODGC = "DeletionByPodGC: PodGC: node no longer exists"


def row(id: str, pod: PodFact, expected: str, reason: str, **more: Any) -> Any:
    """`expected` is Succeeded or the reason of the Broken outcome."""
    return pytest.param(pod, expected, reason, more, id=id)


RUNNER = [
    row("A5-record", done({"n": 1}), "Succeeded", "the record decides"),
    row(
        "A5-record-then-sigkill",
        exited(code=137, message=OK),
        "Succeeded",
        "a complete record counts whatever the exit code",
    ),
    row(
        "A5-record-and-oom",
        exited(code=137, message=OK, terminated_reason="OOMKilled"),
        "Succeeded",
        "it was written before the kill",
    ),
    row(
        "A5-record-and-pod-deadline",
        exited(code=0, message=OK, phase="Failed", pod_reason="DeadlineExceeded"),
        "Succeeded",
        "the pod's phase does not undo a record",
    ),
    row(
        "A5-record-and-disruption",
        exited(code=143, message=OK, disruption=TAINTED, deleting=True),
        "Succeeded",
        "no drain takes a result away",
    ),
    row(
        "A5-machine-restarted-after-the-record",
        exited(code=255, message=OK, terminated_reason="Unknown"),
        "Succeeded",
        "the record was on the disk before the power cut",
    ),
    row(
        "A5-record-while-stopping",
        exited(code=0, message=OK),
        "Succeeded",
        "a result that was in before the stop counts",
        stopping="Timeout",
    ),
    row(
        "A5-record-while-phase-still-running",
        exited(code=0, message=OK, phase="Running"),
        "Succeeded",
        "done is when the container ended, sidecars may lag",
    ),
    row(
        "A5-record-breaks-schema",
        done({"n": "x"}),
        "OutputInvalid",
        "the operator checks again what the runner should have checked",
        output_schema={"properties": {"n": {"type": "integer"}}},
    ),
    row("failure-record", exited(code=1, message=failure_record()), "NodeError", "its own words"),
    row(
        "failure-record-known-reason",
        exited(code=1, message=failure_record("Timeout")),
        "Timeout",
        "a reason of the vocabulary is taken over",
    ),
    row(
        "failure-record-unknown-reason",
        exited(code=1, message=failure_record("Aliens")),
        "NodeError",
        "the vocabulary is closed",
    ),
    row(
        "failure-record-exit-0",
        exited(code=0, message=failure_record("OutputInvalid")),
        "OutputInvalid",
        "a failure is one whatever the exit code",
    ),
    row(
        "stopped-runner-says-disrupted",
        exited(code=143, message=failure_record("Disrupted"), deleting=True),
        "Timeout",
        "the runner sees a SIGTERM, the operator knows why it was sent",
        stopping="Timeout",
    ),
    row(
        "sigterm-from-elsewhere",
        exited(code=143, message=failure_record("Disrupted"), deleting=True),
        "Disrupted",
        "nobody here stopped it",
    ),
    row(
        "sigterm-for-own-storage",
        exited(
            code=143,
            message=failure_record("Disrupted"),
            pod_reason="Evicted",
            pod_message=OWN_STORAGE,
        ),
        "OutOfDisk",
        "an evicted runner sees a SIGTERM, the kubelet says that the program filled its disk",
    ),
    row(
        "sigterm-for-node-pressure",
        exited(
            code=143,
            message=failure_record("Disrupted"),
            pod_reason="Evicted",
            disruption="TerminationByKubelet: memory",
        ),
        "Disrupted",
        "the same signal, and not the user's error",
    ),
    row(
        "sigterm-by-the-deadline-of-the-pod",
        exited(code=143, message=failure_record("Disrupted"), pod_reason="DeadlineExceeded"),
        "Timeout",
        "the backstop of a time without operator",
    ),
    row("no-record-exit-0", exited(), "ResultLost", "the runner never ends so by itself"),
    row("no-record-exit-1", exited(code=1), "NodeError", "an ordinary crash"),
    row("A5-foreign-pod", done({"n": 1}, uid="other"), "ResultLost", "I14: another pod's record"),
    row(
        "A5-foreign-attempt",
        exited(attempt=2, message=record({"n": 1}, attempt=1, pod_uid="pod-a-2")),
        "ResultLost",
        "I14: another attempt's record",
        attempt=2,
    ),
    row(
        "A5-foreign-path",
        exited(message=record(1, "b", pod_uid="pod-a-1")),
        "ResultLost",
        "another node's record",
    ),
    row(
        "A5-digest-mismatch",
        exited(message=OK.replace('{"n":1}', '{"n":2}')),
        "ResultLost",
        "a record that does not match its digest is none",
    ),
    row("B4-too-long", exited(message="x" * 4096), "OutputTooLarge", "the kubelet kept the tail"),
    row("B4-cut-character", exited(message="\ufffd" + OK), "ResultLost", "not valid UTF-8"),
    row("B4-garbage", exited(code=1, message="{]"), "NodeError", "no record, exit 1"),
]
FOREIGN = [
    row("plain-json", exited(message='{"n":1}'), "Succeeded", "mode follows the kind"),
    row("silent", exited(), "Succeeded", "no output at all is null"),
    row("blank", exited(message=" \n"), "Succeeded", "blanks are no output"),
    row(
        "silent-but-schema-forbids-null",
        exited(),
        "OutputInvalid",
        "null is what it gave",
        output_schema={"type": "object"},
    ),
    row("text", exited(message="hello"), "Succeeded", "text where a string is allowed"),
    row(
        "text-that-reads-as-a-number",
        exited(message="9509425e4\n"),
        "Succeeded",
        "a commit id, for the schema",
        output_schema={"type": "string"},
        gives="9509425e4\n",
    ),
    row(
        "text-that-reads-as-a-boolean",
        exited(message="true"),
        "Succeeded",
        "a word, for the schema",
        output_schema={"enum": ["true", "false"]},
        gives="true",
    ),
    row(
        "digits-beyond-2-to-53",
        exited(message="12345678901234567890"),
        "Succeeded",
        "an id, for the schema",
        output_schema={"type": "string"},
        gives="12345678901234567890",
    ),
    row(
        "a-number-that-fits",
        exited(message="42"),
        "Succeeded",
        "JSON first",
        output_schema={"type": ["integer", "string"]},
        gives=42,
    ),
    row(
        "an-object-is-no-text",
        exited(message='{"a": 1}'),
        "OutputInvalid",
        "nobody means its characters",
        output_schema={"type": "string"},
    ),
    row(
        "blank-is-no-text",
        exited(message=" \n"),
        "OutputInvalid",
        "null",
        output_schema={"type": "string"},
    ),
    row(
        "bytes-are-no-text",
        exited(message="1\ufffd"),
        "OutputInvalid",
        "U+FFFD stands for them",
        output_schema={"type": "string"},
    ),
    row(
        "byte-order-mark",
        exited(message='\ufeff{"n": 1}'),
        "Succeeded",
        "programs on Windows write one",
        output_schema={"type": "object"},
        gives={"n": 1},
    ),
    row(
        "text-where-no-string-fits",
        exited(message="hello"),
        "OutputInvalid",
        "not JSON",
        output_schema={"type": "object"},
    ),
    row(
        "B4-forged-record",
        exited(message=OK),
        "Succeeded",
        "output that looks like a record is only output",
        output={"v": 1},
    ),
    row("A5-json-but-exit-1", exited(code=1, message="{}"), "NodeError", "plain JSON needs exit 0"),
    row("B4-too-long", exited(message="1" * 4096), "OutputTooLarge", "never parsed"),
    row("B4-tail", exited(message=" " * 4090 + "123456"), "OutputTooLarge", "a tail may parse"),
    row("B4-cut-character", exited(message="\ufffd1"), "OutputInvalid", "not valid UTF-8"),
    row(
        "stopped-and-exits-0",
        exited(deleting=True),
        "Timeout",
        "a program that obeys SIGTERM has not done its work",
        stopping="Timeout",
    ),
    row(
        "stopped-by-its-deadline-and-exits-0",
        exited(pod_reason="DeadlineExceeded"),
        "Timeout",
        "the kubelet has sent the signal",
        stopping="Timeout",
    ),
    row(
        "drained-and-exits-0",
        exited(disruption=TAINTED, deleting=True, deleting_since=NOW),
        "Disrupted",
        "a program that obeys somebody else's SIGTERM has not done its work either",
    ),
    row(
        "evicted-and-exits-0",
        exited(pod_reason="Evicted", pod_message="node pressure", disruption=TAINTED),
        "Disrupted",
        "the kubelet has sent the signal",
    ),
    row(
        "deleted-and-exits-0-with-an-output",
        exited(message="{}", deleting=True, deleting_since=after(-5)),
        "Succeeded",
        "I4: it used its grace to finish",
    ),
    row(
        "silent-and-done-before-it-was-deleted",
        exited(deleting=True, deleting_since=after(1)),
        "Succeeded",
        "running it again would double a deploy",
    ),
    row(
        "silent-and-nobody-saw-what-came-first",
        exited(deleting=True, deleting_since=None),
        "Disrupted",
        "S60: it may have obeyed SIGTERM",
    ),
    row(
        "done-before-it-was-stopped",
        exited(message="{}"),
        "Succeeded",
        "I4: it was to be stopped, and the stop had not reached it: its result is in",
        stopping="Timeout",
    ),
    row(
        "stopped-by-cancel",
        exited(code=143, deleting=True),
        "Cancelled",
        "the reason of the stop",
        stopping="Cancelled",
    ),
    row("E2-oom", exited(code=137, terminated_reason="OOMKilled"), "OutOfMemory", "by name"),
    row("E2-137-started", exited(code=137), "NodeError", "137 alone does not say why"),
    row(
        "E1-start-error",
        exited(code=128, started_at=None, finished_at=None, terminated_reason="StartError"),
        "NodeError",
        "the runtime could not start it",
    ),
    row(
        "E1-status-unknown-alone",
        exited(code=137, finished_at=None, terminated_reason="ContainerStatusUnknown"),
        "Disrupted",
        "137 of a placeholder is not out of memory",
    ),
    row(
        "K3-init-container-failed",
        pod(
            phase="Failed",
            waiting_reason="PodInitializing",
            init=InitFact("Failed", "init container vault failed with exit code 7: no token"),
        ),
        "PodRejected",
        "nothing of the node has run",
    ),
    row(
        "S387-probe-failed",
        pod(
            phase="Failed",
            waiting_reason="PodInitializing",
            init=InitFact("Failed", "init container isolation-probe failed", name=PROBE),
        ),
        "IsolationUnverified",
        "nothing of the node has run",
    ),
    row("E2-137-deleted", exited(code=137, deleting=True), "Disrupted", "the grace ran out"),
    row(
        "E2-evicted-for-own-storage",
        exited(code=137, pod_reason="Evicted", pod_message=OWN_STORAGE),
        "OutOfDisk",
        "an eviction without DisruptionTarget is the user's error",
    ),
    row(
        "E2-evicted-with-disruption",
        exited(code=137, pod_reason="Evicted", disruption="TerminationByKubelet: memory"),
        "Disrupted",
        "node pressure is not the user's error",
    ),
    row("E2-disruption", exited(code=143, disruption=EVICTION_API), "Disrupted", "drained"),
    row("E2-plain-delete", exited(code=143, deleting=True), "Disrupted", "kubectl delete pod"),
    row(
        "E1-status-unknown",
        exited(code=137, terminated_reason="ContainerStatusUnknown", deleting=True),
        "Disrupted",
        "137 that nobody saw is not out of memory",
    ),
    row(
        "E1-machine-restarted",
        exited(code=255, terminated_reason="Unknown"),
        "Disrupted",
        "the runtime's word for a container that a power cut ended: 255 is no exit code of ours",
    ),
    row(
        "E1-deadline-while-running",
        exited(code=137, pod_reason="DeadlineExceeded"),
        "Timeout",
        "the backstop of a time without operator",
    ),
    row(
        "E1-deadline-while-pulling",
        pod(phase="Failed", pod_reason="DeadlineExceeded", waiting_reason="ImagePullBackOff"),
        "ImagePull",
        "it never started, so it did not run too long",
    ),
    row(
        "E1-deadline-missing-secret",
        pod(
            phase="Failed",
            pod_reason="DeadlineExceeded",
            waiting_reason="CreateContainerConfigError",
        ),
        "MissingReference",
        "the reason it did not start for",
    ),
    row("E3-deleted-unscheduled", pod(deleting=True, scheduled=False), "Disrupted", "never bound"),
    row("phase-failed-without-status", pod(phase="Failed"), "Disrupted", "nobody knows more"),
    row("exit-code", exited(code=3), "NodeError", "exit code 3"),
]


def check(kind: str, pod: PodFact, expected: str, reason: str, more: dict[str, Any]) -> None:
    outcome = judge_pod(
        pod,
        kind=kind,
        expect=ref(attempt=more.get("attempt", 1), pod_uid=pod.uid),
        output_schema=more.get("output_schema"),
        stopping=more.get("stopping"),
        log="the log",
    )
    assert not isinstance(outcome, Parked), "only agents ask people"
    found = "Succeeded" if isinstance(outcome, Succeeded) else str(outcome.reason)
    assert found == expected, f"{reason}; found {outcome}"
    if isinstance(outcome, Succeeded) and "gives" in more:
        assert (outcome.output, type(outcome.output)) == (more["gives"], type(more["gives"]))


@pytest.mark.parametrize(("pod", "expected", "reason", "more"), RUNNER)
def test_python_nodes(pod: PodFact, expected: str, reason: str, more: dict[str, Any]) -> None:
    check("python", pod, expected, reason, more)


@pytest.mark.parametrize(("pod", "expected", "reason", "more"), FOREIGN)
def test_container_nodes(pod: PodFact, expected: str, reason: str, more: dict[str, Any]) -> None:
    check("container", pod, expected, reason, more)


@pytest.mark.parametrize(
    ("pod", "started", "reason"),
    [
        pytest.param(exited(code=1), True, "it ran", id="ran"),
        pytest.param(exited(code=None, started_at=None), True, "terminated", id="terminated"),
        pytest.param(pod(deleting=True, scheduled=False), False, "never bound", id="unbound"),
        pytest.param(
            pod(phase="Failed", waiting_reason="ContainerCreating"),
            False,
            "its own status says it waits",
            id="waiting",
        ),
        pytest.param(
            pod(phase="Failed", pod_reason="OutOfcpu"), False, "refused by kubelet", id="refused"
        ),
        pytest.param(pod(phase="Failed"), True, "a missing status counts as started", id="missing"),
        pytest.param(
            pod(phase="Failed", waiting_reason="ContainerCreating", disruption=PODGC),
            True,
            "on a lost machine the last word is old",
            id="machine-gone",
        ),
        pytest.param(
            pod(phase="Failed", waiting_reason="ContainerCreating", disruption=TAINTED),
            True,
            "on a lost machine the last word is old",
            id="machine-tainted",
        ),
        pytest.param(
            pod(phase="Failed", waiting_reason="ContainerCreating", disruption=EVICTION_API),
            False,
            "a drained machine still tells the truth",
            id="drained",
        ),
    ],
)
def test_e3_evidence_of_a_start(pod: PodFact, started: bool, reason: str) -> None:
    outcome = judge_pod(
        pod, kind="container", expect=ref(), output_schema=None, stopping=None, log=None
    )
    assert isinstance(outcome, Failed)
    assert outcome.started is started, reason


def test_a_refused_record_is_told_and_counted() -> None:
    outcome = judge_pod(
        done({"n": 1}, uid="other"),
        kind="python",
        expect=ref(pod_uid="other"),
        output_schema=None,
        stopping=None,
        log=None,
    )
    assert isinstance(outcome, Failed)
    assert (outcome.refused, "podUID" in outcome.message) == ("Foreign", True), "I14"


def test_texts_for_people() -> None:
    outcome = judge_pod(
        exited(code=3, message="no space"),
        kind="container",
        expect=ref(),
        output_schema=None,
        stopping=None,
        log="line 1\nline 2",
    )
    assert isinstance(outcome, Failed)
    assert outcome.message == "exit code 3: no space", "what it said stands in the message"
    assert outcome.tail == "line 1\nline 2", "and the end of its log in the tail"


def test_an_eviction_names_the_field_that_gives_room() -> None:
    full = 'Usage of EmptyDir volume "tmp" exceeds the limit "200Mi". '
    outcome = judge_pod(
        exited(code=137, pod_reason="Evicted", pod_message=full),
        kind="container",
        expect=ref(),
        output_schema=None,
        stopping=None,
        log=None,
    )
    assert isinstance(outcome, Failed)
    assert outcome.message == (
        'Usage of EmptyDir volume "tmp" exceeds the limit "200Mi"; '
        "raise resources.limits.ephemeral-storage"
    )


@pytest.mark.parametrize(
    ("pod", "reason", "text"),
    [
        pytest.param(
            pod(scheduled=False, unschedulable="Unschedulable: 0/1 nodes"),
            "Unschedulable",
            "Unschedulable: 0/1 nodes",
            id="unschedulable",
        ),
        pytest.param(
            pod(waiting_reason="ErrImagePull", waiting_message="no such image"),
            "ImagePull",
            "ErrImagePull: no such image",
            id="image",
        ),
        pytest.param(
            pod(waiting_reason="InvalidImageName"), "ImagePull", "InvalidImageName", id="name"
        ),
        pytest.param(
            pod(waiting_reason="CreateContainerConfigError", waiting_message='secret "s"'),
            "MissingReference",
            'CreateContainerConfigError: secret "s"',
            id="secret",
        ),
        pytest.param(pod(waiting_reason="ContainerCreating"), "Unschedulable", "", id="normal"),
        pytest.param(running(waiting_reason="ErrImagePull"), "ImagePull", "", id="started"),
    ],
)
def test_trouble_before_the_start(pod: PodFact, reason: str, text: str) -> None:
    assert (str(never_started(pod)), trouble_of(pod)) == (reason, text), "the cluster's own words"


@pytest.mark.parametrize(
    ("pod", "kind", "wanted"),
    [
        pytest.param(exited(code=1), "container", True, id="container"),
        pytest.param(exited(code=1), "python", True, id="python-without-a-word"),
        pytest.param(exited(code=1, message="{"), "python", False, id="python-with-record"),
        pytest.param(exited(), "container", False, id="success"),
        pytest.param(exited(code=1, disruption="x"), "container", False, id="disrupted"),
        pytest.param(replace(running()), "container", False, id="running"),
    ],
)
def test_logs_are_read_where_they_tell_more(pod: PodFact, kind: str, wanted: bool) -> None:
    assert needs_log(pod, kind=kind) is wanted
