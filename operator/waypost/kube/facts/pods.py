"""Pods: the facts that the engine needs. Reading them from a body never raises."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from waypost.api import meta
from waypost.api.endpoint import KeyRef
from waypost.kube.facts import restarts
from waypost.kube.facts.other_containers import CREATING, InitFact, init_fact, other_trouble
from waypost.kube.facts.requests import launched_as
from waypost.kube.facts.restarts import CONTAINER_STATUS_UNKNOWN
from waypost.kube.objects import (
    condition_text,
    controller,
    items,
    lists,
    moment,
    named,
    section,
    text,
    whole_number,
)
from waypost.kube.pod_isolation import UNKNOWN, IsolationFact, isolation_fact
from waypost.kube.secret_files import VOLUME, KeyFile, Source
from waypost.protocol import record as commit_record
from waypost.protocol.carrying import CONTAINER as CARRIER
from waypost.protocol.record import CommitRecord, RecordProblem

# Reasons of DisruptionTarget after which it is unknown what happened on the machine.
_MACHINE_LOST: Final = ("DeletionByTaintManager", "DeletionByPodGC")

# Reasons of the kubelet, and of containerd after a power cut, for an end that they do not know: the
# exit code (137, 255) is a placeholder.
END_UNKNOWN: Final = frozenset({CONTAINER_STATUS_UNKNOWN, "Unknown"})
# Reasons of runtimes for a container that they could not start: its program never ran. The exit
# code (127, 128) and the times are placeholders.
START_FAILED: Final = ("StartError", "ContainerCannotRun")
# The kubelet refused the pod before it created a container.
_NOT_ADMITTED: Final = (
    *("OutOf", "Unexpected", "NodeAffinity", "NodeShutdown", "Topology", "SysctlForbidden"),
    *("AppArmor", "NodePorts", "PodOS", "PodLevelResources", "UserNamespaces", "PodFeature"),
)
# In the message of a pod with the reason Evicted: the kubelet did not admit it. Before these words
# it writes "Pod was rejected: " or "Pod ".
NODE_HAD_CONDITION: Final = "The node had condition"
# What the end of a run gives.
_OF_AN_END: Final = ("exit_code", "terminated_reason", "message", "started_at", "finished_at")
# A container that waits for these reasons has run.
_HAS_RUN: Final = ("PostStartHookError", "CrashLoopBackOff")


@dataclass(frozen=True)
class PodFact:
    """What the engine needs of one pod: scalars, never the body."""

    name: str
    uid: str
    run_uid: str
    path: str
    attempt: int
    phase: str
    held: bool  # carries our finalizer
    deleting: bool  # has a deletionTimestamp
    scheduled: bool  # bound to a machine
    owned_by: str = ""  # its controller, as Kind/name
    created_at: datetime | None = None
    machine: str = ""  # the machine it is bound to
    restart_policy: str = ""  # what makes the kubelet start the container again; "" for Never
    restarts: int = 0  # how often it did; what is said of an end is said of the first one
    deleting_since: datetime | None = None  # when its deletion was requested, if that is known
    deleting_until: datetime | None = None  # when its grace period ends
    unready_since: datetime | None = None  # when its condition Ready turned False
    round: int = 1
    scheduled_at: datetime | None = None  # bound to a machine
    started_at: datetime | None = None  # container `node` started
    finished_at: datetime | None = None  # container `node` terminated
    terminated: bool = False  # container `node` has a terminated state
    exit_code: int | None = None
    terminated_reason: str = ""  # OOMKilled, Error, ContainerStatusUnknown...
    message: str = ""  # the termination message
    has_sidecar: bool = False  # has the output sidecar (protocol/carrying.py)
    sidecar_message: str | None = None  # the sidecar's termination message, once it has ended
    image_id: str = ""  # the image that the container runs, as the runtime shows it
    waiting_reason: str = ""  # ErrImagePull, CreateContainerConfigError...
    waiting_message: str = ""
    unschedulable: str = ""  # the scheduler's text
    prepared_at: datetime | None = None  # its sandbox is ready and its init containers are done
    gated: str = ""  # why it must not be scheduled yet, for example because of a queue
    pod_reason: str = ""  # Evicted, DeadlineExceeded...
    pod_message: str = ""
    disruption: str = ""  # reason and message of DisruptionTarget
    init: InitFact | None = None  # an injected init container that prevents its start
    kind: str = ""  # of its node, if its request says it
    schema: str = ""  # JSON of the output schema in its request, if the program does not check it
    queued: bool = False  # a queue admitted its Job
    has_others: bool = False  # has injected containers in addition to `node`
    other_trouble: str = ""  # why one of these has not started
    keys: tuple[KeyFile, ...] = ()  # the keys that it mounts, until its container has started
    missing: str = ""  # which Secret, ConfigMap or key it waits for; from an Event, read live
    event_trouble: str = ""  # why else its machine does not start it; from an Event, read live
    events_read_at: datetime | None = None
    isolation: IsolationFact = UNKNOWN
    logs: str = ""  # the annotation with the policy for its log

    @cached_property
    def record(self) -> CommitRecord | RecordProblem:
        """The commit record in the pod's message, parsed once. Its identity is not checked yet."""
        if self.terminated_reason in (CONTAINER_STATUS_UNKNOWN, *START_FAILED):
            return RecordProblem("Missing", "the message is the kubelet's")
        message = (self.sidecar_message or "") if self.has_sidecar else self.message
        return commit_record.parse(message)

    @property
    def over(self) -> bool:
        """Whether the pod certainly does not run and never will: only then may another attempt
        start."""
        complete = not self.has_sidecar or self.sidecar_message is not None
        done = self.terminated and complete and not self.starts_again
        ended = done or self.phase in ("Succeeded", "Failed")
        return ended or (self.deleting and not self.scheduled)

    @property
    def starts_again(self) -> bool:
        """Whether the kubelet has started the container again, or will (S524)."""
        repeats = self.restart_policy == restarts.ALWAYS or self.exit_code != 0
        return self.restarts > 0 or (self.terminated and bool(self.restart_policy) and repeats)

    @cached_property
    def is_quiet(self) -> bool:
        """Whether nothing has to be done for the pod any more: it is over, and was released."""
        return self.over and not (self.held or self.lives_on)

    @property
    def lives_on(self) -> bool:
        """Whether injected containers may still run although `node` has ended."""
        return self.has_others and self.terminated and self.phase not in ("Succeeded", "Failed")


def pod_fact(body: Any) -> PodFact | None:
    """The fact of a pod; None if it does not have our labels."""
    metadata = section(body, "metadata")
    labels, annotations = section(metadata, "labels"), section(metadata, "annotations")
    run_uid, attempt = text(labels, meta.LABEL_RUN), whole_number(labels.get(meta.LABEL_ATTEMPT))
    if not run_uid or not attempt:
        return None
    path = text(annotations, meta.ANNOTATION_PATH) or text(labels, meta.LABEL_NODE)
    return _pod_state(body, run_uid=run_uid, path=path, attempt=attempt)


def probe_pod_fact(body: Any) -> PodFact | None:
    """The fact of a probe's pod; None if it does not have the labels of a probe.

    `run_uid` is the uid of the probed object, `attempt` the number of the probe.
    """
    labels = section(body, "metadata", "labels")
    uid, number = text(labels, meta.LABEL_PROBE), whole_number(labels.get(meta.LABEL_ATTEMPT))
    return _pod_state(body, run_uid=uid, path="", attempt=number) if uid and number else None


def _pod_state(body: Any, *, run_uid: str, path: str, attempt: int) -> PodFact:
    metadata, status = section(body, "metadata"), section(body, "status")
    container = named(items(status, "containerStatuses"), meta.NODE_CONTAINER)
    count = restarts.count_of(container, status)
    state = restarts.first_state(container)
    ended, running, waiting = (section(state, k) for k in ("terminated", "running", "waiting"))
    over = text(status, "phase") in ("Succeeded", "Failed")
    last = section(container, "lastState", "terminated") if not ended else {}
    keys = () if running or ended else mounted_keys(section(body, "spec"))
    exit_code = None if text(ended, "reason") in END_UNKNOWN else ended.get("exitCode")
    sidecars = items(body, "spec", "initContainers")
    carrier = section(named(items(status, "initContainerStatuses"), CARRIER), "state")
    created = moment(metadata, "creationTimestamp")
    kind, schema = launched_as(section(metadata, "annotations").get(meta.ANNOTATION_REQUEST))
    return PodFact(
        kind=kind,
        schema=schema,
        logs=text(section(metadata, "annotations"), meta.ANNOTATION_LOGS),
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        run_uid=run_uid,
        path=path,
        attempt=attempt,
        phase=text(status, "phase"),
        held=lists(metadata.get("finalizers"), meta.FINALIZER_RESULT),
        deleting=bool(metadata.get("deletionTimestamp")),
        round=whole_number(section(metadata, "labels").get(meta.LABEL_ROUND)) or 1,
        scheduled=bool(section(body, "spec").get("nodeName")),
        owned_by=controller(body),
        created_at=created,
        machine=text(section(body, "spec"), "nodeName"),
        deleting_since=_deletion_requested(metadata),
        deleting_until=moment(metadata, "deletionTimestamp"),
        unready_since=_since(status, "Ready", "False"),
        scheduled_at=_since(status, "PodScheduled", "True"),
        prepared_at=_prepared_at(status),
        started_at=_started_at(state, status, last=last, created=created),
        finished_at=_finished_at(ended, created=created),
        terminated=bool(ended) if not count else over,
        restart_policy=restarts.policy_of(body.get("spec"), meta.NODE_CONTAINER),
        restarts=count,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        terminated_reason=text(ended, "reason"),
        message=text(ended, "message"),
        has_sidecar=bool(named(sidecars, CARRIER)),
        sidecar_message=text(carrier["terminated"], "message") if "terminated" in carrier else None,
        image_id=text(container, "imageID"),
        waiting_reason=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        unschedulable=condition_text(status, "PodScheduled", "False", "Unschedulable")
        or condition_text(status, "PodScheduled", "False", "SchedulerError"),
        gated=condition_text(status, "PodScheduled", "False", "SchedulingGated"),
        pod_reason=text(status, "reason"),
        pod_message=text(status, "message"),
        disruption=condition_text(status, "DisruptionTarget", "True"),
        keys=keys,
        queued=bool(text(section(metadata, "annotations"), meta.ANNOTATION_QUEUE)),
        init=init_fact(body, state),
        isolation=isolation_fact(body),
        other_trouble=other_trouble(status),
        has_others=any(
            text(item, "name") != meta.NODE_CONTAINER for item in items(body, "spec", "containers")
        ),
    )


def _prepared_at(status: dict[str, Any]) -> datetime | None:
    """When nothing was left before the container but its image and its creation; None if the
    kubelet does not say it."""
    sandbox = _since(status, meta.SANDBOX_READY, "True")
    initialized = _since(status, "Initialized", "True")
    return sandbox and max(sandbox, initialized or sandbox)


def _started_at(
    state: dict[str, Any], status: dict[str, Any], *, last: dict[str, Any], created: datetime | None
) -> datetime | None:
    """When the container started; None if it did not.

    The kubelet's clock may be wrong by years, and no container starts before its pod is created.
    """
    at = (
        moment(section(state, "running"), "startedAt")
        # A placeholder: the container runs, so it started after the kubelet took the pod.
        or (moment(status, "startTime") if "running" in state else None)
        or moment(section(state, "terminated"), "startedAt")
        or moment(last, "startedAt")
    )
    return max(at, created) if at is not None and created is not None else at


def _finished_at(ended: dict[str, Any], *, created: datetime | None) -> datetime | None:
    """When the container ended; None if that is not known, as by a clock that is wrong."""
    at = moment(ended, "finishedAt")
    return None if at is not None and created is not None and at < created else at


def mounted_keys(spec: Any) -> tuple[KeyFile, ...]:
    """The keys that a pod of ours mounts as files, from its spec."""
    volume = named(items(spec, "volumes"), VOLUME)
    sources: tuple[Source, Source] = ("secret", "configMap")
    return tuple(
        KeyFile(text(item, "path"), kind, _key_ref(source, kind, item))
        for source in items(volume, "projected", "sources")
        for kind in sources
        for item in items(source, kind, "items")
    )


def _key_ref(source: Any, kind: Source, item: dict[str, Any]) -> KeyRef:
    # Not validated: a pod can be forged, but this is only shown to people.
    return KeyRef.model_construct(name=text(section(source, kind), "name"), key=text(item, "key"))


def _deletion_requested(metadata: dict[str, Any]) -> datetime | None:
    """When the deletion was requested; None if there is none, or if that is no longer known.

    A shorter grace period moves the timestamp back by the same time, so the difference stays; but
    since Kubernetes 1.33 the timestamp never moves into the past. So after the kubelet's last
    delete, with period 0, it is the time of that delete, and a period of 1 may have been set after
    the first one had passed. Both say nothing about the request.
    """
    until = moment(metadata, "deletionTimestamp")
    grace = metadata.get("deletionGracePeriodSeconds")
    if until is None or not isinstance(grace, int) or grace <= 1:
        return None
    try:
        return until - timedelta(seconds=grace)
    except OverflowError:
        return None


def following(pod: PodFact, earlier: PodFact | None) -> PodFact:
    """A newer state of a pod, with the time of its deletion, the end of the first run of its
    container, and when it was prepared, if only an earlier state shows them.

    Args:
        pod: The newer state.
        earlier: The state that was known before; None if there was none.
    """
    if earlier is None:
        return pod
    if pod.prepared_at is None and earlier.prepared_at is not None:  # its sandbox is gone
        pod = replace(pod, prepared_at=earlier.prepared_at)
    known = earlier.terminated or earlier.restarts
    if pod.restarts and known and pod.exit_code is None and earlier.exit_code is not None:
        pod = replace(pod, **{name: getattr(earlier, name) for name in _OF_AN_END})
    if not pod.deleting:
        return pod
    if earlier.deleting_since is not None:
        return replace(pod, deleting_since=earlier.deleting_since)
    if earlier.terminated and not earlier.deleting and pod.deleting_since is None:
        return replace(pod, deleting_since=pod.deleting_until)  # requested after its end
    return pod


def changes_nothing(pod: PodFact, earlier: PodFact) -> bool:
    """Whether a newer state of a pod says nothing on which a pass could decide: its end was known,
    and it was only released, or its phase follows.

    Args:
        pod: The newer state.
        earlier: The state that was known before.
    """
    if pod == earlier:
        return True
    ended = earlier.over and pod.is_quiet and not earlier.lives_on and not pod.deleting
    return ended and replace(pod, held=earlier.held, phase=earlier.phase) == earlier


def _since(status: dict[str, Any], type_: str, value: str) -> datetime | None:
    for item in items(status, "conditions"):
        if item.get("type") == type_ and item.get("status") == value:
            return moment(item, "lastTransitionTime")
    return None


def surely_not_started(pod: PodFact, *, waited: bool = False) -> bool:
    """Whether the program of a pod that is over certainly never ran (E3).

    A pod on a lost machine, and a bound pod without a container status, count as started.

    Args:
        pod: The pod.
        waited: Whether its kubelet has reported why it had not started the container.
    """
    if pod.started_at is not None or pod.waiting_reason in _HAS_RUN:
        return False
    if pod.init is not None and pod.init.reason == "Failed":
        return True
    if pod.terminated:
        return pod.terminated_reason in START_FAILED or (waited and _was_never_created(pod))
    if not pod.scheduled:
        return True
    if pod.disruption.startswith(_MACHINE_LOST):
        return False
    not_admitted = pod.pod_reason.startswith(_NOT_ADMITTED) or (
        pod.pod_reason == "Evicted" and NODE_HAD_CONDITION in pod.pod_message
    )
    return bool(pod.waiting_reason) or not_admitted


def _was_never_created(pod: PodFact) -> bool:
    """Whether the kubelet found no container of that name when it ended the pod.

    If the container had run, its message has "used to be Running". On a lost machine it is unknown.
    """
    placeholder = pod.terminated_reason == CONTAINER_STATUS_UNKNOWN and pod.finished_at is None
    lost = pod.disruption.startswith(_MACHINE_LOST)
    return placeholder and not lost and "used to be" not in pod.message


def trouble_of(pod: PodFact) -> str:
    """The cluster's text on why a pod's container has not started; "" if there is no problem."""
    if pod.started_at is not None or pod.terminated:
        return ""
    if pod.unschedulable:
        return pod.unschedulable
    if pod.gated:
        return pod.gated.removesuffix(": ")
    if pod.init is not None and pod.init.reason != "Running":
        return pod.init.text
    if pod.waiting_reason not in CREATING:
        return f"{pod.waiting_reason}: {pod.waiting_message}".removesuffix(": ")
    return pod.missing or pod.event_trouble or pod.other_trouble


def idle_of(pod: PodFact) -> str:
    """A text for a pod that has waited too long without a reported problem."""
    if not pod.scheduled:
        return "the pod has not been scheduled"
    if pod.init is not None:
        return pod.init.text
    return f"machine {pod.machine} has not started the pod"
