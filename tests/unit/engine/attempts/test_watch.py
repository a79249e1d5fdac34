"""Attempts: clocks, troubles, live reads, retries. What must never run twice, and what must."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.status import NodeStatus
from waypost.compiler.definition import define
from waypost.compiler.node_settings import queue_timeout_of, timeout_of
from waypost.engine.attempts.retries import MAX_DISRUPTIONS
from waypost.engine.start import LAUNCHES_PER_PASS
from waypost.engine.state.decision import Decision, StopAttempt
from waypost.engine.state.observed import Observed
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.facts.other_containers import InitFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.timestamps import parse_timestamp, timestamp

from tests.support import builders
from tests.support.builders import (
    NOW,
    SETTINGS,
    after,
    attempt,
    container,
    done,
    exited,
    gate,
    in_flight,
    job,
    job_of,
    node_status,
    observed,
    pod,
    python,
    record,
    running,
    spec,
    without_a_job,
)
from tests.support.passes import decide, required_reads
from tests.support.play import Play, evicted, launches, never_ends, raises, returns

CLOCKS = {"timeout": "1m", "queueTimeout": "2m"}


def seen(*pods: PodFact, node: JsonObject | None = None, **fields: Any) -> Observed:
    """Attempt 1 of node a was launched at the beginning."""
    status = fields.pop("status", None) or builders.status(in_flight("a"))
    raw = spec(node or python("a", **CLOCKS))
    return observed(raw, status=status, pods=pods, **fields)


def the_node(decision: Decision) -> NodeStatus:
    return decision.status.nodes[0]


def stops(decision: Decision) -> list[StopAttempt]:
    return [action for action in decision.after if isinstance(action, StopAttempt)]


def stopping(decision: Decision) -> str | None:
    return (the_node(decision).attempts or [])[-1].stopping


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "seconds"),
    [
        pytest.param(container("a", **CLOCKS), 60.0, id="container"),
        pytest.param(python("a", **CLOCKS), 65.0, id="python-after-the-runners-own-timer"),
        pytest.param(container("a"), 600.0, id="default"),
    ],
)
def test_s54_timeout_counts_from_the_start_of_the_container(
    node: JsonObject, seconds: float
) -> None:
    started = after(100)
    pod = running("a", since=started)
    early = decide(seen(pod, node=node), started + timedelta(seconds=seconds - 1), SETTINGS)
    assert (stops(early), early.requeue_at) == ([], started + timedelta(seconds=seconds))
    late = decide(seen(pod, node=node), started + timedelta(seconds=seconds), SETTINGS)
    assert stops(late) == [StopAttempt(job=job_of("a"), pods=(pod,))], "Clocks"
    assert stopping(late) == "Timeout", "recorded before the pod is stopped"
    assert the_node(late).phase == "Running", "it has not ended before its pod is over"


@pytest.mark.parametrize("ahead", [3600.0, 9e8], ids=["an-hour", "years"])
def test_s54_a_clock_that_is_ahead_does_not_extend_the_timeout(ahead: float) -> None:
    """The container has started before its queueTimeout, whatever its machine says."""
    pod = running("a", since=after(ahead))
    made = seen(pod, node=container("a", timeout="60s", queueTimeout="30s"))
    early = decide(made, after(89), SETTINGS)
    assert (stops(early), early.requeue_at) == ([], after(90))
    assert stopping(decide(made, after(90), SETTINGS)) == "Timeout"


def test_a_stopped_attempt_ends_with_its_reason() -> None:
    status = builders.status(in_flight("a", attempts=[attempt(stopping="Timeout")]))
    over = exited("a", code=143, deleting=True, started_at=NOW, finished_at=after(60))
    made = seen(over, node=container("a", **CLOCKS), status=status)
    decision = decide(made, after(70), SETTINGS)
    assert (the_node(decision).phase, the_node(decision).reason) == ("Failed", "Timeout")


@pytest.mark.parametrize(
    ("ran", "reason"),
    [
        pytest.param(8.0, "Disrupted", id="deleted-before"),
        pytest.param(60.0, "Timeout", id="stopped-in-time"),
        pytest.param(59.0, "Timeout", id="as-the-kubelet-tells-it-in-whole-seconds"),
    ],
)
def test_a_timeout_is_not_blamed_for_what_ended_before_it(ran: float, reason: str) -> None:
    """An operator without news takes a deleted pod for one that runs, until its timeout."""
    status = builders.status(in_flight("a", attempts=[attempt(stopping="Timeout")]))
    over = exited("a", code=137, deleting=True, started_at=NOW, finished_at=after(ran))
    decision = decide(seen(over, node=container("a", **CLOCKS), status=status), after(70), SETTINGS)
    attempts = the_node(decision).attempts
    assert attempts is not None
    assert attempts[-1].reason == reason


@pytest.mark.parametrize("over", [True, False], ids=["pod-over", "no-pod"])
def test_a_stop_for_a_reason_of_another_release_ends_too(over: bool) -> None:
    """After a rollback: an unknown word in status must not block the run forever."""
    stopped = attempt(stopping="Replaced", stopping_at=timestamp(after(50)))
    status = builders.status(in_flight("a", attempts=[stopped]))
    pods = (exited("a", code=143, deleting=True),) if over else ()
    seen_ = seen(*pods, status=status, live=True, live_at=after(70))
    assert the_node(decide(seen_, after(70), SETTINGS)).phase == "Failed"


def test_a_stop_is_repeated_until_the_pod_is_over() -> None:
    status = builders.status(in_flight("a", attempts=[attempt(stopping="Timeout")]))
    decision = decide(seen(running("a"), status=status), after(70), SETTINGS)
    assert stops(decision), "the suspend may have been lost with the operator"
    deleted = decide(seen(running("a", deleting=True), status=status), after(70), SETTINGS)
    assert not stops(deleted), "it is on its way"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param({"scheduled": False, "unschedulable": "0/1 nodes"}, "Unschedulable", id="cpu"),
        pytest.param({"waiting_reason": "ImagePullBackOff"}, "ImagePull", id="image"),
        pytest.param(
            {"waiting_reason": "CreateContainerConfigError"}, "MissingReference", id="secret"
        ),
        pytest.param({"waiting_reason": "ContainerCreating"}, "Unschedulable", id="no-reason"),
    ],
)
def test_s54_queue_timeout(trouble: Any, reason: str) -> None:
    stuck = pod("a", **trouble)
    early = decide(seen(stuck), after(119), SETTINGS)
    assert not stops(early), "queueTimeout is 2m"
    named = trouble.get("waiting_reason") != "ContainerCreating"
    assert (the_node(early).reason == reason) is named, "named at once, in the cluster's own text"
    late = decide(seen(stuck), after(120), SETTINGS)
    assert (bool(stops(late)), stopping(late)) == (True, reason)


@pytest.mark.parametrize(
    ("stopping", "failed_after", "text", "reason"),
    [
        pytest.param("Unschedulable", 5, "", "PodRejected", id="seen-late"),
        pytest.param("ImagePull", 118, "ErrImagePull", "PodRejected", id="pulled-then-failed"),
        pytest.param("Unschedulable", 119, "", "Unschedulable", id="perhaps-by-the-stop"),
        pytest.param("Unschedulable", 130, "", "Unschedulable", id="by-the-stop"),
        pytest.param("Unschedulable", None, "", "Unschedulable", id="at-an-unknown-time"),
        pytest.param("ImagePull", 5, "InvalidImageName", "ImagePull", id="stopped-early"),
        pytest.param("Cancelled", 5, "", "Cancelled", id="a-cancel-ends-it-anyway"),
    ],
)
def test_s66_an_init_container_that_failed_before_the_stop_gives_the_reason(
    stopping: str, failed_after: int | None, text: str, reason: str
) -> None:
    """The watch was silent, so the operator stopped a pod that it believed to be waiting."""
    at = None if failed_after is None else after(failed_after)
    failed = InitFact("Failed", "init container vault failed with exit code 7: no token", at)
    over = pod("a", phase="Failed", waiting_reason="PodInitializing", init=failed, deleting=True)
    node = in_flight(
        "a", attempts=[attempt(stopping=stopping)], reason=stopping, message=text or None
    )
    ended = decide(seen(over, status=builders.status(node)), after(140), SETTINGS)
    assert [a.reason for a in the_node(ended).attempts or []] == [reason]


@pytest.mark.parametrize(
    ("facts", "reported"),
    [
        pytest.param({"machine": "m1"}, "machine m1 has not started the pod", id="m1"),
        pytest.param({"scheduled": False}, "the pod has not been scheduled", id="no-scheduler"),
    ],
)
def test_a_pod_that_nobody_says_anything_of_is_told_when_its_time_is_up(
    facts: Any, reported: str
) -> None:
    """As after a power cut between the creation and the start of its container."""
    stuck = pod("a", **facts)
    assert the_node(decide(seen(stuck), after(119), SETTINGS)).message is None, "all is normal"
    late = decide(seen(stuck), after(120), SETTINGS)
    assert the_node(late).message == reported
    over = replace(stuck, phase="Failed", deleting=True)
    ended = decide(seen(over, status=late.status), after(130), SETTINGS)
    assert reported in ((the_node(ended).attempts or [])[-1].message or "")


def test_s63_missing_references_wait_and_are_not_refused() -> None:
    stuck = pod("a", waiting_reason="CreateContainerConfigError", waiting_message='secret "s"')
    decision = decide(seen(stuck), after(10), SETTINGS)
    assert the_node(decision).phase == "Running", "the secret may be applied later"
    assert the_node(decision).message == 'CreateContainerConfigError: secret "s"'
    assert (
        decide(seen(running("a"), status=decision.status), after(11), SETTINGS)
        .status.nodes[0]
        .reason
        is None
    ), "and starts by itself"


def test_alternating_texts_are_one_write() -> None:
    first = decide(
        seen(pod("a", waiting_reason="ErrImagePull", waiting_message="long")), after(5), SETTINGS
    )
    second = decide(
        seen(pod("a", waiting_reason="ImagePullBackOff"), status=first.status), after(9), SETTINGS
    )
    assert second.status == first.status, "the kubelet alternates between two texts"


def test_clock_settings() -> None:
    raw = spec(
        python("a"),
        python("b", timeout="1s", queueTimeout="2s"),
        defaults={"timeout": "3s", "queueTimeout": "4s"},
    )
    made = define(raw).spec
    assert made is not None
    a, b = made.nodes
    assert (timeout_of(made, a), queue_timeout_of(made, a)) == (3.0, 4.0)
    assert (timeout_of(made, b), queue_timeout_of(made, b)) == (1.0, 2.0)


def test_s65_defaults_do_not_reach_gates() -> None:
    raw = spec(gate("ok"), defaults={"timeout": "1s", "retry": {"limit": 3}})
    play = Play(raw)
    play.step()
    play.now = after(1e6)
    play.step()
    assert (play.phases["ok"], play.node("ok").wake_at) == ("Waiting", None)


# --- absence -------------------------------------------------------------------------------------


def test_a2_nothing_is_concluded_from_the_cache() -> None:
    decision = decide(seen(), after(600), SETTINGS)
    assert (decision.after, the_node(decision).phase) == ((), "Running"), "the cache may lag"


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([], id="no pod"),
        pytest.param([running("a")], id="a pod that runs: it is stopped with its attempt"),
    ],
)
def test_an_attempt_of_a_node_without_a_pod_ends_instead_of_the_pass(pods: list[PodFact]) -> None:
    made = seen(*pods, node=gate("a"), live=True, live_at=after(10))
    decision = decide(made, after(10), SETTINGS)
    node = the_node(decision)
    assert (node.phase, node.reason) == ("Failed", "LaunchRejected")
    assert "kind approval has no pod" in (node.message or "")
    assert [action.pods for action in stops(decision)] == [(pod,) for pod in pods]


def test_a1_live_absence_recreates_the_same_attempt() -> None:
    decision = decide(seen(live=True, live_at=after(10)), after(10), SETTINGS)
    again = launches(decision)[0]
    assert (again.attempt, again.job["metadata"]["name"]) == (1, job_of("a")), "same name"
    assert decision.status.nodes == seen().status.nodes, "no second attempt is recorded"


def test_a1_a_pod_is_the_attempt_whatever_became_of_its_job() -> None:
    decision = decide(seen(running("a"), live=True, jobs={}), after(10), SETTINGS)
    assert not launches(decision), "its Job was deleted; its pod still runs"
    ended = decide(seen(done(7), live=True, jobs={}), after(10), SETTINGS)
    assert the_node(ended).output == 7, "and its record counts"


def test_job_ended_without_a_pod_is_disrupted() -> None:
    ended = {job_of("a"): job("a", ended=True)}
    decision = decide(seen(live=True, jobs=ended), after(10), SETTINGS)
    assert (the_node(decision).phase, the_node(decision).reason) == ("Backoff", "Disrupted")


@pytest.mark.parametrize(
    ("live_at", "at", "jobs", "wanted"),
    [
        pytest.param(None, 0.0, {}, True, id="after-a-restart-at-once"),
        pytest.param(None, 2.0, {job_of("a"): job("a")}, False, id="our-own-job-is-young"),
        pytest.param(None, 3.0, {job_of("a"): job("a")}, True, id="no-pod-after-3s"),
        pytest.param(3.0, 5.0, {}, False, id="looked-just-now"),
        pytest.param(3.0, 6.0, {}, True, id="again-after-3s"),
        pytest.param(80.0, 119.0, {}, False, id="rarely-when-old"),
        pytest.param(60.0, 90.0, {}, True, id="half-its-age"),
        pytest.param(100.0, 119.0, {}, False, id="not-before-its-queue-timeout"),
        pytest.param(100.0, 120.0, {}, True, id="at-its-queue-timeout"),
        pytest.param(120.0, 121.0, {}, False, id="once-at-its-queue-timeout"),
        pytest.param(1000.0, 1060.0, {}, True, id="once-a-minute-at-least"),
        pytest.param(-5.0, 0.0, {}, True, id="a-look-before-the-launch-says-nothing"),
    ],
)
def test_plan_looks_soon_then_rarely(
    live_at: float | None, at: float, jobs: Any, wanted: bool
) -> None:
    moment = None if live_at is None else after(live_at)
    assert required_reads(seen(jobs=jobs, live_at=moment), after(at)).live is wanted


def test_s470_an_attempt_without_a_pod_is_looked_at_when_its_queue_timeout_has_passed() -> None:
    jobs = {job_of("a"): job("a")}
    cached = decide(seen(jobs=jobs, live_at=after(100)), after(101), SETTINGS)
    assert cached.requeue_at == after(120), "not 100 s and half its age"
    read = decide(seen(jobs=jobs, live=True, live_at=after(100)), after(100), SETTINGS)
    assert read.requeue_at == after(120)
    late = decide(seen(jobs=jobs, live=True, live_at=after(120)), after(120), SETTINGS)
    assert stopping(late) == "PodRejected"


def test_plan_wants_nothing_needless() -> None:
    assert not required_reads(seen(running("a")), after(600)).live, "its pod is there"
    assert not required_reads(seen(live=True), after(600)).live, "asked in this pass already"
    assert not required_reads(seen(deleting=True), after(600)).live, "it only lets go"
    assert not required_reads(observed({"nodes": []}), NOW).live


def test_plan_wants_logs_of_silent_ends() -> None:
    over = exited("a", code=1)
    assert required_reads(seen(over), NOW).logs == (over,)
    assert required_reads(seen(over, logs={over.uid: ""}), NOW).logs == (), "read once"
    assert required_reads(seen(exited("a", attempt=2, code=1)), NOW).logs == (), (
        "of this attempt only"
    )


def test_plan_wants_records_for_those_that_read_them() -> None:
    raw = spec(
        python("a"),
        python("b", inputs={"v": "${nodes.a.output}"}),
        outputs={"v": "${nodes.a.output}"},
    )
    spilled = node_status("a", "Succeeded", output_record="rec")
    for b, wanted in (("Pending", {"rec"}), ("Backoff", {"rec"}), ("Succeeded", {"rec"})):
        status = builders.status(spilled, node_status("b", b))
        assert required_reads(observed(raw, status=status), NOW).payloads == wanted, b
    status = builders.status(spilled, node_status("b", "Succeeded"))
    assert required_reads(observed({**raw, "outputs": {}}, status=status), NOW).payloads == set()
    done_ = status.model_copy(update={"phase": "Succeeded", "finished_at": timestamp(NOW)})
    assert required_reads(observed(raw, status=done_), NOW).payloads == set(), (
        "a finished run reads nothing"
    )
    assert required_reads(observed(raw, status=status, payloads={"rec": 1}), NOW).payloads == set()


# --- launch problems -----------------------------------------------------------------------------


def test_a7_job_refused_for_good() -> None:
    problem = {job_of("a"): WriteProblem("requests > limits", permanent=True, at=NOW)}
    decision = decide(seen(child_problems=problem), after(1), SETTINGS)
    node = the_node(decision)
    assert (node.phase, node.reason, node.message, stopping(decision)) == (
        "Running",
        "LaunchRejected",
        "requests > limits",
        "LaunchRejected",
    )


@pytest.mark.parametrize(
    "again", [{}, {job_of("a"): WriteProblem("refused", permanent=True, at=NOW)}]
)
def test_s471_a_refused_attempt_is_closed_once_no_other_operator_can_create_its_job(
    again: Any,
) -> None:
    problem = {job_of("a"): WriteProblem("requests > limits", permanent=True, at=NOW)}
    stopped = decide(seen(child_problems=problem), after(1), SETTINGS).status

    def at(seconds: float, status: Any) -> Any:
        moment = after(seconds)
        made = seen(status=status, live=True, live_at=moment, child_problems=again)
        return decide(made, moment, SETTINGS)

    noted = at(2, stopped)
    assert not launches(noted)
    waits = at(13, noted.status)
    assert the_node(waits).phase == "Running"
    node = the_node(at(14, waits.status))
    assert (node.phase, node.reason, node.message) == (
        "Failed",
        "LaunchRejected",
        "requests > limits",
    )
    assert node.latest_attempt is not None
    assert node.latest_attempt.never_started


def test_s471_a_program_that_ran_all_the_same_was_disrupted() -> None:
    problem = {job_of("a"): WriteProblem("requests > limits", permanent=True, at=NOW)}
    stopped = decide(seen(child_problems=problem), after(1), SETTINGS).status
    found = decide(seen(running("a"), status=stopped), after(3), SETTINGS)
    assert stops(found), "another operator has created it"
    killed = exited("a", code=143, finished_at=after(5))
    node = the_node(decide(seen(killed, status=found.status), after(6), SETTINGS))
    assert (node.phase, node.reason, node.disruptions) == ("Backoff", "Disrupted", 1)


def quota(at: float) -> dict[str, WriteProblem]:
    """This operator's last try, `at` seconds after the launch, was refused for now."""
    return {
        job_of("a"): WriteProblem("exceeded quota", permanent=False, since=after(1), at=after(at))
    }


def test_a7_quota_waits_under_the_queue_timeout() -> None:
    early = decide(seen(child_problems=quota(9), live=True), after(10), SETTINGS)
    assert (the_node(early).phase, the_node(early).message) == ("Running", "exceeded quota")
    assert launches(early), "tried again"
    late = decide(seen(child_problems=quota(70), live=True), after(120), SETTINGS)
    assert (stopping(late), the_node(late).reason) == ("LaunchRejected", "LaunchRejected")


def forbidden(at: float) -> dict[str, WriteProblem]:
    """A refusal for good: the same request fails again, until somebody gives the right."""
    problem = WriteProblem("forbidden", permanent=True, since=after(at), at=after(at))
    return {job_of("a"): problem}


_REFUSED = node_status(
    "a",
    "Running",
    attempts=[attempt()],
    reason="LaunchRejected",
    message="exceeded quota",
    started_at=timestamp(NOW),
)


@pytest.mark.parametrize(
    ("problems", "node", "moment"),
    [
        pytest.param({}, {}, 120, id="restarted-at-the-end-of-the-queue-timeout"),
        pytest.param({}, {}, 90_000, id="restarted-a-day-later"),
        pytest.param(quota(10), {}, 700, id="frozen-or-cut-off-since-its-last-try"),
        pytest.param(quota(10), {"suspend": False}, 3600, id="suspended-since-its-last-try"),
        pytest.param(forbidden(10), {}, 700, id="forbidden-and-set-aside-since-its-last-try"),
    ],
)
def test_s520_an_old_refusal_does_not_end_an_attempt(
    problems: dict[str, WriteProblem], node: JsonObject, moment: float
) -> None:
    """Nobody has tried since, and what refused the Job may have passed: it is tried again, and has
    its queueTimeout."""
    raw = spec(python("a", **CLOCKS)) | node
    stored = builders.status(_REFUSED)
    made = observed(raw, status=stored, live=True, child_problems=problems)
    decision = decide(made, after(moment), SETTINGS)
    assert (the_node(decision).phase, len(launches(decision))) == ("Running", 1)
    refused = WriteProblem("exceeded quota", permanent=False, at=after(moment + 100))
    later = observed(raw, status=decision.status, live=True, child_problems={job_of("a"): refused})
    assert the_node(decide(later, after(moment + 119), SETTINGS)).phase == "Running"
    ended = the_node(decide(later, after(moment + 120), SETTINGS))
    assert (ended.reason, ended.message) == ("LaunchRejected", "exceeded quota")


def test_s520_a_suspended_run_does_not_create_a_job_that_was_refused() -> None:
    raw = spec(python("a", **CLOCKS)) | {"suspend": True}
    made = observed(raw, status=builders.status(_REFUSED), live=True, child_problems=quota(119))
    decision = decide(made, after(121), SETTINGS)
    assert (the_node(decision).phase, launches(decision)) == ("Running", [])


def test_a7_pod_refused() -> None:
    jobs = {job_of("a"): job("a", trouble='serviceaccount "x" not found')}
    early = decide(seen(live=True, jobs=jobs), after(10), SETTINGS)
    assert the_node(early).reason == "PodRejected", "named within seconds"
    assert the_node(early).message == 'serviceaccount "x" not found'
    late = decide(seen(live=True, jobs=jobs), after(120), SETTINGS)
    assert (stopping(late), bool(stops(late))) == ("PodRejected", True)
    held = {job_of("a"): replace(jobs[job_of("a")], suspended=True, halted=True)}
    ended = decide(seen(live=True, jobs=held, status=late.status), after(121), SETTINGS)
    node = the_node(ended)
    assert (node.phase, node.reason, node.message) == (
        "Backoff",
        "PodRejected",
        'serviceaccount "x" not found',
    )
    assert (node.launch_retries, node.retries) == (1, None), "no retry of the user's"


@pytest.mark.parametrize(
    ("of_job", "closed"),
    [
        pytest.param({}, False, id="it was not stopped yet"),
        pytest.param({"suspended": True}, False, id="a queue suspended it, and can resume it"),
        pytest.param({"halted": True}, True, id="the operator stopped it, and a queue resumed it"),
        pytest.param({"suspended": True, "halted": True}, True, id="the operator stopped it"),
        pytest.param({"suspended": True, "ended": True}, True, id="it has ended"),
    ],
)
def test_s472_a_stopped_attempt_is_closed_once_its_job_starts_nothing(
    of_job: dict[str, bool], closed: bool
) -> None:
    """Else the pod of its Job may run beside that of the next attempt (A9)."""
    stored = builders.status(in_flight("a", attempts=[attempt(stopping="PodRejected")]))
    facts = seen(live=True, jobs={job_of("a"): job("a", **of_job)}, status=stored)
    decision = decide(facts, after(121), SETTINGS)
    assert the_node(decision).phase == ("Backoff" if closed else "Running")
    assert stops(decision) == ([] if closed else [StopAttempt(job=job_of("a"), pods=())])


def test_s522_an_added_init_container_that_runs_on_is_named_after_a_while() -> None:
    """Before that it is usual, and nothing to report."""
    waits = replace(
        pod("a", waiting_reason="PodInitializing"),
        created_at=NOW,
        init=InitFact("Running", "init container clone is still running"),
    )
    early = decide(seen(waits), after(44), SETTINGS)
    assert (the_node(early).message, early.requeue_at) == (None, after(45))
    late = decide(seen(waits), after(45), SETTINGS)
    assert the_node(late).message == "init container clone is still running"
    assert not stops(late), "queueTimeout decides"


def test_s522_a_sidecar_with_a_wrong_image_does_not_end_an_attempt() -> None:
    """The node may start beside it."""
    said = "container proxy: InvalidImageName: x"
    waits = replace(pod("a", waiting_reason="ContainerCreating"), other_trouble=said)
    early = decide(seen(waits), after(10), SETTINGS)
    assert (the_node(early).message, stops(early)) == (said, [])


def test_s522_a_job_that_a_policy_has_ended_is_named() -> None:
    """A mutating webhook may set activeDeadlineSeconds on Jobs: their pods are deleted."""
    failed = job("a", ended=True, failure="DeadlineExceeded: Job was active longer than specified")
    decision = decide(seen(live=True, jobs={job_of("a"): failed}), after(30), SETTINGS)
    last = (the_node(decision).attempts or [])[-1]
    assert last.reason == "Disrupted"
    assert "its Job has failed: DeadlineExceeded" in (the_node(decision).message or "")


def test_stopping_without_a_job_ends() -> None:
    """It is closed 12 seconds after its stop was read from the stored status: an operator that had
    looked before may still create its Job, whenever the attempt was recorded (A3)."""
    raw = spec(container("a", **CLOCKS))
    status = builders.status(in_flight("a", attempts=[attempt(stopping="Cancelled")]))
    open_ = without_a_job(raw, status, 500, 505, 511)
    found = open_.nodes[0].latest_attempt
    assert (open_.nodes[0].phase, found and found.stopping_at) == (
        "Running",
        timestamp(after(500)),
    )
    closed = without_a_job(raw, open_, 512).nodes[0]
    assert closed.phase == "Cancelled"
    assert closed.latest_attempt is not None
    assert closed.latest_attempt.stopping_at is None


def test_of_two_pods_the_one_that_ended_first_counts_whoever_looks() -> None:

    def gave(output: int, uid: str, ended: float) -> PodFact:
        message = record(output, "a", 1, pod_uid=uid)
        return exited("a", message=message, uid=uid, finished_at=after(ended))

    first, second = gave(1, "pod-z", 5), gave(2, "pod-a", 6)
    same = gave(3, "pod-b", 5)
    for pods in ((first, second), (second, first)):
        assert the_node(decide(seen(*pods), after(10), SETTINGS)).output == 1
    for pods in ((first, same), (same, first)):
        assert the_node(decide(seen(*pods), after(10), SETTINGS)).output == 3, "by uid"


def test_no_attempt_ends_after_it_is_judged() -> None:
    """The clock of a machine may be ahead by years."""
    ahead = done(5, started_at=after(9e7), finished_at=after(9e8))
    last = the_node(decide(seen(ahead), after(10), SETTINGS)).latest_attempt
    assert last is not None
    assert (last.started_at, last.finished_at) == (timestamp(after(10)), timestamp(after(10)))


def test_a_success_among_two_pods_counts() -> None:
    lost = exited("a", code=137, uid="pod-first", deleting=True)
    decision = decide(seen(lost, done(5)), after(10), SETTINGS)
    assert the_node(decision).output == 5, "the cluster may start a pod twice"
    both = decide(seen(done(5), running("a", uid="pod-second")), after(10), SETTINGS)
    assert the_node(both).phase == "Running", "not before every pod of it is over"


# --- how many at once ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "parallelism", "started"),
    [
        pytest.param(5, 2, 2, id="parallelism"),
        pytest.param(30, None, 20, id="default-20"),
        pytest.param(50, 200, LAUNCHES_PER_PASS, id="20-a-pass"),
    ],
)
def test_s82_launches_of_one_pass(nodes: int, parallelism: int | None, started: int) -> None:
    fields = {"parallelism": parallelism} if parallelism else {}
    raw = spec(*[python(f"n{i}") for i in range(nodes)], **fields)
    decision = decide(observed(raw), NOW, SETTINGS)
    assert len(launches(decision)) == started


def test_the_rest_of_a_capped_pass_follows_at_once() -> None:
    raw = spec(*[python(f"n{i}") for i in range(50)], parallelism=200)
    decision = decide(observed(raw), NOW, SETTINGS)
    assert decision.requeue_at is not None
    assert decision.requeue_at - NOW < timedelta(seconds=1), "our own write wakes nobody"
    repeated = decide(observed(raw, status=decision.status), NOW, SETTINGS)
    assert len(launches(repeated)) == LAUNCHES_PER_PASS


def test_gates_do_not_count_as_pods() -> None:
    raw = spec(gate("g1"), gate("g2"), python("a"), parallelism=1)
    play = Play(raw)
    play.step()
    assert play.phases == {"g1": "Waiting", "g2": "Waiting", "a": "Running"}


def test_parallelism_is_freed_by_the_end_of_a_pod() -> None:
    play = Play(spec(python("a"), python("b"), parallelism=1))
    play.step()
    assert play.launched == ["a"]
    play.advance()
    play.step()
    assert play.launched == ["a", "b"]


# --- retries -------------------------------------------------------------------------------------


def waits(play: Play) -> list[float]:
    """Seconds between the end of each attempt and the launch of the next."""
    play.finish()
    found = []
    for before, following in pairwise(play.node("a").attempts or []):
        end, start = parse_timestamp(before.finished_at), parse_timestamp(following.launched_at)
        assert end is not None
        assert start is not None
        found.append((start - end).total_seconds())
    return found


def test_backoff_grows_to_its_maximum() -> None:
    backoff = {"initial": "10s", "factor": 3, "max": "40s"}
    raw = spec(python("a", retry={"limit": 3, "backoff": backoff}))
    found = waits(Play(raw, endings={"a": [raises()]}))
    for wait, nominal in zip(found, (10, 30, 40), strict=True):
        assert nominal <= wait <= nominal * 1.2 + 1, "initial * factor^n, at most max, spread 20 %"


def test_backoff_is_an_absolute_time_and_a_timer() -> None:
    raw = spec(python("a", retry={"limit": 1, "backoff": {"initial": "10s"}}))
    decision = decide(
        observed(raw, status=builders.status(in_flight("a")), pods=(exited("a", code=1),)),
        NOW,
        SETTINGS,
    )
    wake = parse_timestamp(the_node(decision).wake_at)
    assert decision.requeue_at == wake
    assert wake is not None
    for moment, launched in ((wake - timedelta(seconds=1), 0), (wake, 1)):
        later = decide(observed(raw, status=decision.status), moment, SETTINGS)
        assert len(launches(later)) == launched


def test_failure_shows_class_message_and_tail() -> None:
    play = Play(spec(python("a")), endings={"a": [raises("bad key", "NodeError")]}).finish()
    node = play.node("a")
    assert (node.reason, node.message, node.tail) == ("NodeError", "bad key", "Traceback")


def test_a_later_success_clears_the_trouble() -> None:
    raw = spec(python("a", retry={"limit": 1}))
    node = Play(raw, endings={"a": [raises(), returns(1)]}).finish().node("a")
    assert (node.reason, node.message, node.tail, node.wake_at) == (None, None, None, None)
    assert [a.reason for a in node.attempts or []] == ["NodeError", "Succeeded"]


def test_disruptions_have_their_own_limit() -> None:
    play = Play(spec(python("a")), endings={"a": [evicted()]}).finish(passes=400)
    node = play.node("a")
    assert (node.phase, node.reason) == ("Failed", "Disrupted")
    assert (node.attempt, node.disruptions) == (MAX_DISRUPTIONS + 1, MAX_DISRUPTIONS)
    assert "the limit is 5" in (node.message or "")


def test_a_run_fails_while_a_retry_waits() -> None:
    raw = spec(python("a", retry={"limit": 3}), python("x"))
    play = Play(raw, endings={"a": [raises()], "x": [never_ends()]})
    play.step()
    play.advance()
    play.step()
    assert play.phases["a"] == "Backoff"
    play.endings = {"x": [raises()]}
    play.advance()
    play.step()
    assert play.phases == {"a": "Cancelled", "x": "Failed"}


def test_pods_of_an_older_attempt_change_nothing() -> None:
    status = builders.status(in_flight("a", 2))
    decision = decide(seen(done(1), running("a", 2), status=status), NOW, SETTINGS)
    assert the_node(decision).phase == "Running", "I14: a late record of attempt 1"


def test_i3_a_status_without_its_attempt_starts_over_under_the_next_number() -> None:
    odd = builders.status(node_status("a", "Running", attempt=3))
    decision = decide(seen(status=odd), NOW, SETTINGS)
    assert [x.attempt for x in launches(decision)] == [4], "numbers never restart"


def test_times_of_an_attempt() -> None:
    play = Play(spec(python("a")))
    play.step()
    play.advance(2.0)
    play.step()
    entry = (play.node("a").attempts or [])[0]
    assert (entry.launched_at, entry.started_at) == (timestamp(NOW), timestamp(after(2)))
    assert (entry.pod_uid, entry.reason) == ("pod-a-1", "Succeeded")


def test_moments_are_read_from_pods() -> None:
    ended = after(3)
    decision = decide(seen(done(1, finished_at=ended)), after(9), SETTINGS)
    entry = (the_node(decision).attempts or [])[0]
    assert entry.finished_at == timestamp(ended), "the kubelet's time, not that of the pass"


def test_a_retry_takes_its_place_in_the_queue() -> None:
    raw = spec(python("a", retry={"limit": 1}), python("b"), parallelism=1)
    play = Play(raw, endings={"a": [raises(), returns(1)], "b": [never_ends()]})
    for _ in range(2):
        play.step()
        play.advance()
    assert play.phases == {"a": "Backoff", "b": "Running"}
    play.now = after(30)
    play.step()
    assert play.phases["a"] == "Backoff", "it is due, but there is no room"
    play.endings = {"b": [returns(1)]}
    play.advance()
    play.step()
    assert play.phases == {"a": "Running", "b": "Succeeded"}


def test_an_attempt_that_nobody_could_launch_is_launched_late() -> None:
    decision = decide(seen(live=True), after(6000), SETTINGS)
    assert launches(decision), "no operator was there to create its Job: nothing was refused"
    entry = (the_node(decision).attempts or [])[0]
    assert (entry.number, entry.launched_at) == (1, timestamp(after(6000))), "its time begins now"
