"""Facts from bodies: what is read, and that no body whatever can stop the operator (I16)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.api import meta
from waypost.kube import objects
from waypost.kube.facts import approvals, jobs, pods, runs
from waypost.kube.timestamps import timestamp

from tests.support.builders import NOW, RUN_UID

STEADY = settings(derandomize=True, database=None, max_examples=200, deadline=None)

LABELS = {meta.LABEL_RUN: RUN_UID, meta.LABEL_NODE: "scan.3", meta.LABEL_ATTEMPT: "2"}
T = "2026-03-01T12:00:00Z"


def body(status: Any = None, **metadata: Any) -> dict[str, Any]:
    base = {"name": "p", "uid": "u", "labels": LABELS, "resourceVersion": "5"}
    return {"metadata": {**base, **metadata}, "spec": {"nodeName": "m"}, "status": status or {}}


def containers(*states: dict[str, Any]) -> dict[str, Any]:
    return {"phase": "Running", "containerStatuses": list(states)}


def test_pod_of_another() -> None:
    assert pods.pod_fact({"metadata": {"name": "p", "labels": {}}}) is None
    assert pods.pod_fact(body(labels={**LABELS, meta.LABEL_ATTEMPT: "two"})) is None


def test_pod_identity() -> None:
    fact = pods.pod_fact(body(annotations={meta.ANNOTATION_PATH: "scan/3"}))
    assert fact is not None
    assert (fact.path, fact.attempt, fact.run_uid) == ("scan/3", 2, RUN_UID)
    assert (fact.scheduled, fact.held, fact.deleting, fact.over) == (True, False, False, False)


def test_pod_flags() -> None:
    fact = pods.pod_fact(body(finalizers=["x", meta.FINALIZER_RESULT], deletionTimestamp=T))
    assert fact is not None
    assert (fact.held, fact.deleting) == (True, True)


def test_terminated_container() -> None:
    ended = {"exitCode": 3, "reason": "Error", "message": "m", "startedAt": T, "finishedAt": T}
    other = {"name": "sidecar", "state": {"running": {"startedAt": T}}}
    fact = pods.pod_fact(body(containers(other, {"name": "node", "state": {"terminated": ended}})))
    assert fact is not None
    assert (fact.terminated, fact.exit_code, fact.message) == (True, 3, "m")
    assert (fact.started_at, fact.finished_at) == (NOW, NOW)
    assert fact.over, "done when the container is, whatever the phase says"


EPOCH, YEAR_1 = "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"


@pytest.mark.parametrize("never", [EPOCH, YEAR_1, None, "soon"])
def test_placeholders_are_no_times(never: Any) -> None:
    """containerd reports epoch 0 for a container that it could not start."""
    ended = {"exitCode": 128, "reason": "StartError", "startedAt": never, "finishedAt": never}
    fact = pods.pod_fact(body(containers({"name": "node", "state": {"terminated": ended}})))
    assert fact is not None
    assert (fact.started_at, fact.finished_at, fact.over) == (None, None, True)
    assert pods.surely_not_started(fact)
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": never}
    quiet = pods.pod_fact(body({"phase": "Running", "conditions": [condition]}))
    assert quiet is not None
    assert quiet.unready_since is None


UNKNOWN = {"exitCode": 137, "reason": "ContainerStatusUnknown"}
NOT_FOUND = "The container could not be located when the pod was terminated"
LOST = "The container could not be located when the pod was deleted. It used to be Running"


@pytest.mark.parametrize(
    ("ended", "waited", "never"),
    [
        pytest.param({"message": NOT_FOUND}, True, True, id="seen-waiting"),
        pytest.param({"message": NOT_FOUND}, False, False, id="nobody-saw-it-wait"),
        pytest.param({"message": LOST}, True, False, id="used-to-run"),
        pytest.param({"message": NOT_FOUND, "startedAt": T}, True, False, id="has-started"),
        pytest.param({"message": NOT_FOUND, "finishedAt": T}, True, False, id="has-an-end"),
        pytest.param({"reason": "Error"}, True, False, id="killed"),
    ],
)
def test_status_unknown_of_a_pod_that_waited(
    ended: dict[str, Any], waited: bool, never: bool
) -> None:
    state = {"terminated": {**UNKNOWN, **ended}}
    fact = pods.pod_fact(body(containers({"name": "node", "state": state})))
    assert fact is not None
    assert pods.surely_not_started(fact, waited=waited) is never


def test_a_lost_machine_leaves_it_open() -> None:
    status = containers({"name": "node", "state": {"terminated": UNKNOWN}})
    reported = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
    fact = pods.pod_fact(body({**status, "conditions": [reported]}))
    assert fact is not None
    assert not pods.surely_not_started(fact, waited=True)


PULL = {"waiting": {"reason": "ErrImagePull", "message": "no such tag"}}
FAILED = {"terminated": {"exitCode": 7, "reason": "Error", "message": "no token"}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
RUNS = {"running": {"startedAt": T}}


@pytest.mark.parametrize(
    ("first", "second", "reason", "text"),
    [
        pytest.param(PULL, None, "ErrImagePull", "ErrImagePull: no such tag", id="pull"),
        pytest.param(FAILED, None, "Failed", "exit code 7: no token", id="failed"),
        pytest.param(DONE, RUNS, "Running", "init container two is still running", id="runs"),
        pytest.param(DONE, DONE, "", "", id="done"),
        pytest.param({"waiting": {"reason": "PodInitializing"}}, None, "", "", id="quiet"),
    ],
)
def test_init_containers_of_others(first: Any, second: Any, reason: str, text: str) -> None:
    inits = [{"name": "one", "state": first}, {"name": "two", "state": second or {}}]
    waiting = {"name": "node", "state": {"waiting": {"reason": "PodInitializing"}}}
    status = {**containers(waiting), "initContainerStatuses": inits}
    fact = pods.pod_fact(body(status))
    assert fact is not None
    assert (fact.init.reason if fact.init else "") == reason
    assert text in (fact.init.text if fact.init else "")
    late = pods.idle_of(fact)
    assert (text in late) or reason == "", "at the end of queueTimeout it is named"


@pytest.mark.parametrize(
    "state", [FAILED, {"terminated": {**FAILED["terminated"], "finishedAt": T}}]
)
def test_when_an_init_container_failed(state: Any) -> None:
    waiting = {"name": "node", "state": {"waiting": {"reason": "PodInitializing"}}}
    inits = [{"name": "one", "state": state}]
    fact = pods.pod_fact(body({**containers(waiting), "initContainerStatuses": inits}))
    assert fact is not None
    assert fact.init is not None
    known = "finishedAt" in state["terminated"]
    assert (fact.init.ended_at is not None) is known, "a placeholder has no time"


def test_a_native_sidecar_that_is_up_keeps_nothing_waiting() -> None:
    sidecar = {"name": "proxy", "restartPolicy": "Always"}
    up = {"name": "proxy", "state": RUNS, "started": True}
    made = body({**containers(), "initContainerStatuses": [up]})
    made["spec"]["initContainers"] = [sidecar]
    fact = pods.pod_fact(made)
    assert fact is not None
    assert fact.init is None
    made["status"]["initContainerStatuses"] = [{**up, "started": False}]
    fact = pods.pod_fact(made)
    assert fact is not None
    assert fact.init is not None


@pytest.mark.parametrize(
    ("request_", "kind", "schema"),
    [
        pytest.param(None, "", "", id="in-a-ConfigMap"),
        pytest.param({}, "", "", id="no-text"),
        pytest.param("{", "", "", id="no-json"),
        pytest.param("[" * 100_000, "", "", id="too-deep"),
        pytest.param("[]", "", "", id="no-object"),
        pytest.param('{"kind": "newer"}', "", "", id="unknown-kind"),
        pytest.param('{"kind": "container"}', "container", "", id="no-schema"),
        pytest.param(
            '{"kind": "container", "outputSchema": {"type": "null"}}',
            "container",
            '{"type":"null"}',
            id="schema",
        ),
        pytest.param(
            '{"kind": "python", "outputSchema": {}}', "python", "", id="the-runner-has-checked-it"
        ),
    ],
)
def test_what_a_request_says_of_its_node(request_: Any, kind: str, schema: str) -> None:
    given = {} if request_ is None else {meta.ANNOTATION_REQUEST: request_}
    fact = pods.pod_fact(body(annotations=given))
    assert fact is not None
    assert (fact.kind, fact.schema) == (kind, schema)


def test_a_scheduling_gate_is_named() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }
    fact = pods.pod_fact(body({"phase": "Pending", "conditions": [condition]}))
    assert fact is not None
    assert "scheduling gates" in pods.trouble_of(fact)


def test_waiting_container_and_conditions() -> None:
    status = {
        **containers({"name": "node", "state": {"waiting": {"reason": "R", "message": "M"}}}),
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1",
            },
            {"type": "DisruptionTarget", "status": "True", "reason": "D", "message": "why"},
        ],
    }
    fact = pods.pod_fact(body(status))
    assert fact is not None
    assert (fact.waiting_reason, fact.waiting_message) == ("R", "M")
    assert (fact.unschedulable, fact.disruption) == ("Unschedulable: 0/1", "D: why")


def test_scheduling_gates_are_not_unschedulable() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    fact = pods.pod_fact(body({"conditions": [gated]}))
    assert fact is not None
    assert fact.unschedulable == ""


QUESTION = {
    "run": "brief",
    "path": "ok",
    "subject": "gate",
    "message": "Go on?",
    "approvers": {"users": ["ann"]},
    "requestDigest": "sha256:1",
}


def answered(name: str = "ann", **more: Any) -> approvals.ApprovalFact:
    """An Approval with a decision, whose managedFields say that it was made long ago."""
    long_ago = [{"time": "2020-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:decision": {}}}}]
    made = body(managedFields=long_ago)
    spec = {**QUESTION, "decision": "Approved", "decidedBy": name, **more}
    fact = approvals.approval_fact({**made, "spec": spec})
    assert fact is not None
    assert fact.spec is not None
    return fact


def test_s70_the_time_of_an_answer_is_when_the_operator_first_saw_it() -> None:
    """W4: clients write managedFields, so they prove nothing."""
    first = approvals.seen(answered(), None, NOW)
    assert first.answered_at == NOW
    later = NOW + timedelta(hours=1)
    assert approvals.seen(answered(), first, later).answered_at == NOW, "the same answer"
    changed = approvals.seen(answered(decision="Denied"), first, later)
    assert changed.answered_at == later, "another answer"
    other = replace(first, uid="another")
    assert approvals.seen(answered(), other, later).answered_at == later, "another object"


def test_approval_that_models_refuse() -> None:
    fact = approvals.approval_fact({**body(), "spec": {"decision": "Maybe"}})
    assert fact is not None
    assert (fact.spec, fact.status.state) == (None, "Open")


def test_controller() -> None:
    owners = [{"uid": "a"}, {"uid": "b", "controller": True}]
    assert objects.controller_uid(body(ownerReferences=owners)) == "b"
    assert objects.controller_uid(body(ownerReferences=[{"uid": "a", "controller": "true"}])) == ""


@pytest.mark.parametrize(
    ("metadata", "tracked"),
    [
        pytest.param({}, False, id="by-hand"),
        pytest.param({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, True, id="argo"),
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, True, id="flux"),
        pytest.param({"labels": {"helm.toolkit.fluxcd.io/name": "x"}}, True, id="flux-helm"),
        pytest.param({"annotations": {"meta.helm.sh/release-name": "x"}}, False, id="helm"),
    ],
)
def test_tracked_by_git(metadata: Any, tracked: bool) -> None:
    assert runs.tracked_by_git({"metadata": metadata}) is tracked


@pytest.mark.parametrize(
    ("applied", "kept", "pruned"),
    [
        pytest.param({"a": 1}, {"a": 1, "new": 2}, (), id="nothing"),
        pytest.param({"a": 1, "b": {"c": 1}}, {"b": {}}, ("a", "b.c"), id="fields"),
        pytest.param(
            {"nodes": [{"name": "x", "typo": 1}]},
            {"nodes": [{"name": "x"}]},
            ("nodes[0].typo",),
            id="in-lists",
        ),
        pytest.param({"a": None}, {}, (), id="null-means-absent"),
        pytest.param({"l": [1, 2]}, {"l": [1]}, (), id="lists-of-other-length"),
        pytest.param({str(n): 1 for n in range(50)}, {}, tuple(map(str, range(20))), id="bounded"),
    ],
)
def test_s28_pruned(applied: Any, kept: Any, pruned: tuple[str, ...]) -> None:
    assert runs.pruned_fields({"spec": kept}, {"spec": applied}) == pruned


def test_job_fact() -> None:
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    made = {**body(done, creationTimestamp=T), "spec": {"suspend": True}}
    fact = jobs.job_fact(made, trouble="why")
    assert fact is not None
    assert (fact.ended, fact.suspended, fact.trouble, fact.created_at) == (True, True, "why", NOW)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=True)
    | st.sampled_from(["", T, "True", "node", "9999-12-31T23:59:59-23:59", meta.FINALIZER_RESULT])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "uid",
                    "type",
                    "status",
                    "state",
                    "terminated",
                    "running",
                    "startedAt",
                    "time",
                    "fieldsV1",
                    "f:spec",
                    "decision",
                    "controller",
                    "exitCode",
                    "message",
                    "reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.just(LABELS) | JUNK,
        "annotations": JUNK,
        "finalizers": JUNK,
        "ownerReferences": JUNK,
        "managedFields": JUNK,
        "creationTimestamp": JUNK,
        "deletionTimestamp": JUNK,
        "generation": JUNK,
        "name": st.just("x") | JUNK,
        "uid": JUNK,
    },
)
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "containerStatuses": st.lists(
            st.fixed_dictionaries({"name": st.just("node"), "state": JUNK, "lastState": JUNK})
            | JUNK,
            max_size=2,
        )
        | JUNK,
        "conditions": JUNK,
        "phase": JUNK,
        "state": JUNK,
        "reason": JUNK,
    },
)
BODIES = st.fixed_dictionaries(
    {}, optional={"metadata": SECTIONS | JUNK, "spec": JUNK, "status": STATUSES | JUNK}
)


@STEADY
@given(BODIES | JUNK, JUNK)
def test_i16_no_body_can_stop_the_operator(poisoned: Any, other: Any) -> None:
    pods.pod_fact(poisoned)
    jobs.job_fact(poisoned)
    approvals.approval_fact(poisoned)
    objects.controller_uid(poisoned)
    runs.tracked_by_git(poisoned)
    runs.pruned_fields(poisoned, other)
    runs.last_applied_text(poisoned)


@pytest.mark.parametrize(
    ("grace", "asked"),
    [
        pytest.param(30, "2026-03-01T12:00:00.000Z", id="graceful"),
        pytest.param(2, "2026-03-01T12:00:28.000Z", id="shortened-in-time"),
        pytest.param(1, None, id="perhaps-shortened-too-late"),
        pytest.param(0, None, id="the-last-delete-of-the-kubelet"),
        pytest.param(None, None, id="no-period"),
    ],
)
def test_s60_when_a_deletion_was_requested(grace: int | None, asked: str | None) -> None:
    """The API server never moves the timestamp into the past (Kubernetes 1.33)."""
    fields = {"deletionTimestamp": "2026-03-01T12:00:30Z", "deletionGracePeriodSeconds": grace}
    fact = pods.pod_fact(body(**fields))
    assert fact is not None
    assert fact.deleting
    since = fact.deleting_since
    assert (timestamp(since) if since else None) == asked


RUNNING = {"name": "node", "state": {"running": {"startedAt": T}}}
ENDED = {"name": "node", "state": {"terminated": {"exitCode": 0, "startedAt": T, "finishedAt": T}}}
GRACEFUL = {"deletionTimestamp": "2026-03-01T12:00:35Z", "deletionGracePeriodSeconds": 30}
FINAL = {"deletionTimestamp": "2026-03-01T12:00:08Z", "deletionGracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("earlier", "asked"),
    [
        pytest.param(body(containers(RUNNING), **GRACEFUL), "12:00:05", id="seen-terminating"),
        pytest.param(body(containers(ENDED)), "12:00:08", id="seen-ended-before-its-deletion"),
        pytest.param(body(containers(RUNNING)), None, id="seen-running"),
        pytest.param(body(containers(ENDED), **FINAL), None, id="seen-as-it-is"),
        pytest.param(None, None, id="never-seen"),
    ],
)
def test_s60_an_earlier_state_says_when_the_deletion_was_requested(
    earlier: dict[str, Any] | None, asked: str | None
) -> None:
    last = pods.pod_fact(body(containers(ENDED), **FINAL))
    assert last is not None
    fact = pods.following(last, pods.pod_fact(earlier) if earlier else None)
    since = fact.deleting_since
    assert (timestamp(since)[11:19] if since else None) == asked


AGAIN = {"name": "node", "restartCount": 2, "state": {"running": {}}}
ONCE = {"name": "node", "restartCount": 1, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 3, "message": "first"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("earlier", "code"),
    [
        pytest.param(ONCE, 3, id="seen-running-again"),
        pytest.param(
            {"name": "node", "state": {"terminated": {"exitCode": 4}}}, 4, id="seen-ended"
        ),
        pytest.param({"name": "node", "state": {"running": {}}}, None, id="seen-running"),
        pytest.param(AGAIN, None, id="seen-too-late"),
    ],
)
def test_s524_an_earlier_state_says_how_the_first_run_ended(
    earlier: dict[str, Any], code: int | None
) -> None:
    before = pods.pod_fact(body({"containerStatuses": [earlier]}))
    now = pods.pod_fact(body({"containerStatuses": [AGAIN]}))
    assert now is not None
    assert pods.following(now, before).exit_code == code


def test_a_pod_that_is_not_deleted_takes_nothing_from_an_earlier_state() -> None:
    before, after = pods.pod_fact(body(**GRACEFUL)), pods.pod_fact(body())
    assert before is not None
    assert after is not None
    assert pods.following(after, before) == after


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        pytest.param(
            {"labels": {"waypost.dev/team": "a"}}, ["labels.waypost.dev/team"], id="label"
        ),
        pytest.param(
            {"annotations": {"input.waypost.dev/x": "1"}},
            ["annotations.input.waypost.dev/x"],
            id="a domain below ours",
        ),
        pytest.param({"labels": {"mywaypost.dev/x": "1"}}, [], id="another domain"),
        pytest.param({"labels": {"waypost.dev": "1"}}, ["labels.waypost.dev"], id="without a name"),
        pytest.param({"annotations": {"waypost.dev/probe-at": "1"}}, [], id="one for users"),
        pytest.param(
            {
                "labels": {"waypost.dev/event-source": "github"},
                "annotations": {"waypost.dev/event": "e u"},
            },
            [],
            id="a run that an event has started",
        ),
        pytest.param({"labels": None, "annotations": 3}, [], id="no maps"),
        pytest.param({"labels": {f"waypost.dev/{at}": "" for at in range(50)}}, 20, id="many"),
    ],
)
def test_s28_names_of_our_domain(metadata: Any, named: list[str] | int) -> None:
    found = [path.removeprefix("metadata.") for path, _ in runs.reserved_names(metadata)]
    assert (len(found) if isinstance(named, int) else found) == named


CREATED = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [
        pytest.param("2026-03-01T12:00:00Z", "2026-03-01T12:00:09Z", (0, 9), id="right"),
        pytest.param("2010-01-01T00:00:03Z", "2010-01-01T00:00:09Z", (0, None), id="years-behind"),
        pytest.param("2026-03-01T11:59:58Z", "2026-03-01T12:00:03Z", (0, 3), id="seconds-behind"),
        pytest.param("2026-03-01T11:59:50Z", "2026-03-01T11:59:59Z", (0, None), id="both-behind"),
        pytest.param("2010-01-01T00:00:03Z", "2026-03-01T12:00:09Z", (0, 9), id="set-meanwhile"),
        pytest.param("1970-01-01T00:00:00Z", "2026-03-01T12:00:09Z", (None, 9), id="placeholder"),
    ],
)
def test_a_machine_whose_clock_is_behind(
    started: str, finished: str, expected: tuple[int | None, int | None]
) -> None:
    """No container starts before its pod is created, by the API server's clock."""
    ended = {"exitCode": 0, "startedAt": started, "finishedAt": finished}
    state = containers({"name": "node", "state": {"terminated": ended}})
    fact = pods.pod_fact(body(state, creationTimestamp=CREATED))
    assert fact is not None
    times = (fact.started_at, fact.finished_at)
    assert tuple(at and (at - NOW).total_seconds() for at in times) == tuple(
        None if seconds is None else float(seconds) for seconds in expected
    )


@pytest.mark.parametrize("started", ["2010-01-01T00:00:03Z", "2026-03-01T11:59:58Z"])
def test_a_program_that_runs_on_such_a_machine(started: str) -> None:
    state = containers({"name": "node", "state": {"running": {"startedAt": started}}})
    fact = pods.pod_fact(body(state, creationTimestamp=CREATED))
    assert fact is not None
    assert fact.started_at == NOW, "its timeout counts from there"
