"""The scheduler, the kubelet and what looks after pods whose machine is gone."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from waypost.kube.objects import items, named, section
from waypost.ports.cluster import Kind, NotFound, Obj
from waypost.protocol.isolation import PROBE

from tests.fakes.api.deletion import Deletion
from tests.fakes.api.server import ApiServer
from tests.fakes.events import post_event
from tests.fakes.nodes import machine_objects, podstatus
from tests.fakes.nodes.pace import Pace, toleration
from tests.fakes.nodes.programs import (
    Execution,
    Ledger,
    Life,
    Outcome,
    Program,
    missing_config_map,
    view,
)
from tests.fakes.nodes.repeats import Repeats

_POD_GC_SECONDS: Final = 20.0
_ORPHAN_SECONDS: Final = 40.0
_RETRY_SECONDS: Final = 5.0
_NOT_READY_SECONDS: Final = 50.0  # --node-monitor-grace-period
_FORCE: Final = Deletion(grace=0)


class Kubelet:
    """All machines of the cluster."""

    def __init__(
        self,
        *,
        server: ApiServer,
        program: Program,
        ledger: Ledger,
        seed: int,
        pace: Pace,
        machines: tuple[str, ...],
    ) -> None:
        self.program = program
        self.ledger = ledger
        self.trouble: tuple[str, str] | None = None  # why no machine starts a pod: Event, words
        self._server = server
        self._agenda = server.agenda
        self._random = random.Random(seed)
        self._pace = pace
        self._machines = list(machines)
        self._lost: set[str] = set()
        self._runs: dict[str, Life] = {}
        for machine in machines:
            machine_objects.report(self._server, machine, "True")
        self.repeats = Repeats(server.agenda, self._update, self._again)
        server.storage.listeners.append(self._changed)

    def log_of(self, uid: str) -> str:
        """What the pod's container printed. Raises NotFound before it has started."""
        run = self._runs.get(uid)
        if run is None or run.execution is None:
            raise NotFound("the container has no log", code=400)
        return run.outcome.log

    def lose(self, machine: str) -> None:
        """The machine stops reporting; its programs continue."""
        self._lost.add(machine)
        self._agenda.after(_NOT_READY_SECONDS, partial(self._not_ready, machine))
        for body in self._pods_on(machine):
            patience = toleration(body)
            self._agenda.after(patience, partial(self._taint_manager, body["metadata"]["uid"]))

    def regain(self, machine: str) -> None:
        """The machine reports again, also what ended meanwhile; a removed machine never does."""
        if machine not in self._machines:
            return
        self._lost.discard(machine)
        machine_objects.report(self._server, machine, "True")
        for body in self._pods_on(machine):
            uid = body["metadata"]["uid"]
            run = self._runs.get(uid)
            if run is not None and run.stage == "running":
                self._update(uid, partial(podstatus.ready, time=self._server.time))
            if run is not None and run.stage == "ended":
                self._tell_end(uid)
            elif "deletionTimestamp" in body["metadata"]:
                self._stop(uid)
            elif run is not None and run.stage == "bound":
                self._start(uid)

    def remove(self, machine: str) -> None:
        """Its Node object is deleted, and with it what it ran."""
        self._lost.add(machine)
        self._machines.remove(machine)
        node = self._server.storage.read(Kind.NODE, None, machine)
        if node is not None:
            self._server.storage.remove(Kind.NODE, node)
        for body in self._pods_on(machine):
            uid = body["metadata"]["uid"]
            self._end_execution(uid)
            change = partial(podstatus.orphaned, time=self._server.time)
            self._agenda.after(_ORPHAN_SECONDS, partial(self._give_up, uid, change))

    def _not_ready(self, machine: str) -> None:
        """The node lifecycle controller has not heard of it for its grace period."""
        if machine not in self._lost or machine not in self._machines:
            return
        machine_objects.report(self._server, machine, "Unknown")
        for body in self._pods_on(machine):
            if section(body, "status").get("phase") == "Running":
                uid = body["metadata"]["uid"]
                self._update(uid, partial(podstatus.unready, time=self._server.time))

    def evict(self, uid: str, *, reason: str = "EvictionByEvictionAPI") -> None:
        """The eviction API, a preemption or a drain: DisruptionTarget, then a deletion."""
        self._update(uid, partial(podstatus.disrupted, reason=reason, time=self._server.time))
        self._delete(uid, Deletion())

    def pressure(self, uid: str, *, disruption: bool, message: str) -> None:
        """The kubelet evicts, for its machine (`disruption`) or for the limit of the pod."""
        if disruption:
            reason = "TerminationByKubelet"
            self._update(uid, partial(podstatus.disrupted, reason=reason, time=self._server.time))
        run = self._runs[uid]
        run.why = {"reason": "Evicted", "message": message}
        if run.stage == "bound":
            self._end_unstarted(uid)
        else:
            self._end(uid, 137, "")

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is not Kind.POD:
            return
        uid = body["metadata"]["uid"]
        if change == "ADDED":
            self._later(self._pace.schedule, partial(self._schedule, uid))
        elif change == "DELETED":
            self._end_execution(uid)
        elif "deletionTimestamp" in body["metadata"]:
            self._later(self._pace.report, partial(self._stop, uid))

    def _schedule(self, uid: str, outcome: Outcome | None = None) -> None:
        body = self._body(uid)
        if body is None or "deletionTimestamp" in body["metadata"] or not self._machines:
            return
        outcome = outcome or self.program(view(self._server, body))
        if outcome.blocked == "Unschedulable":
            self._update(uid, partial(podstatus.unschedulable, why=outcome.blocked_text))
            if outcome.blocked_seconds is not None:
                free = replace(outcome, blocked="")
                self._agenda.after(outcome.blocked_seconds, partial(self._schedule, uid, free))
            return
        healthy = [machine for machine in self._machines if machine not in self._lost]
        if not healthy:
            self._update(uid, partial(podstatus.unschedulable, why="no machine is ready"))
            self._agenda.after(_RETRY_SECONDS, partial(self._schedule, uid, outcome))
            return
        machine = self._random.choice(healthy)
        self._runs[uid] = Life(outcome, machine)
        machine_objects.bind(self._server, body, machine)
        self._update(uid, partial(podstatus.bound, time=self._server.time))
        if seconds := section(body, "spec").get("activeDeadlineSeconds"):
            self._agenda.after(seconds, partial(self._deadline, uid))
        self._later(self._pace.start, partial(self._start, uid))

    def _start(self, uid: str, *, pulled: bool = False) -> None:
        run, body = self._runs[uid], self._body(uid)
        if run.stage != "bound" or body is None or run.machine in self._lost:
            return
        if "deletionTimestamp" in body["metadata"]:
            return
        if missing := missing_config_map(self._server, body):
            why = f'MountVolume.SetUp failed for volume "in" : configmap "{missing}" not found'
            post_event(self._server, body, "FailedMount", why)
            self._agenda.after(_RETRY_SECONDS, partial(self._start, uid, pulled=pulled))
            return
        if self.trouble is not None:  # the status says ContainerCreating
            post_event(self._server, body, *self.trouble)
            self._agenda.after(_RETRY_SECONDS, partial(self._start, uid, pulled=pulled))
            return
        if run.outcome.blocked and run.outcome.blocked != "Unschedulable" and not pulled:
            self._blocked(uid, run, body)
            if run.outcome.blocked_seconds is not None:
                later = partial(self._free, uid)
                self._agenda.after(run.outcome.blocked_seconds, later)
            return
        self._execute(uid, body, lambda started: partial(podstatus.running, started=started))

    def _execute(self, uid: str, body: Obj, shown: Callable[[str], Any]) -> None:
        """The program runs; `shown` gives the change of the status from the time of its start."""
        run, pod, now = self._runs[uid], view(self._server, body), self._agenda.clock.monotonic()
        run.execution = Execution(pod.run_uid, pod.path, pod.attempt, uid, pod.name, now)
        run.stage = "running"
        run.reported = {"startedAt": self._server.time()}
        self.ledger.executions.append(run.execution)
        if run.outcome.probed and named(items(body, "spec", "initContainers"), PROBE):
            self._update(uid, partial(podstatus.init_done, message=run.outcome.probed, name=PROBE))
        self._update(uid, shown(run.reported["startedAt"]))
        outcome = run.outcome
        if outcome.gone_after is not None:
            self._agenda.after(outcome.gone_after, partial(self._vanish, uid))
        if outcome.seconds is not None:
            end = partial(self._end, uid, outcome.exit_code, outcome.message, reason=outcome.reason)
            self._agenda.after(outcome.seconds, end)

    def _free(self, uid: str) -> None:
        """What blocked the pod is over: its machine pulls the image and starts it."""
        body = self._body(uid)
        if body is not None:
            post_event(self._server, body, "Pulling", "Pulling image", type_="Normal")
        self._agenda.after(
            self._runs[uid].outcome.pull_seconds, partial(self._start, uid, pulled=True)
        )

    def _blocked(self, uid: str, run: Life, body: Obj) -> None:
        why = run.outcome.blocked_text
        match run.outcome.blocked:
            case "FailedMount" | "FailedCreatePodSandBox" as event:
                post_event(self._server, body, event, why)  # the status says ContainerCreating
            case "StartError":
                run.stage, run.reported = "ended", podstatus.start_error(why)
                self._tell_end(uid)
            case "InitFails" | "ProbeFails" as failed:
                run.stage, now = "ended", self._server.time()
                name = PROBE if failed == "ProbeFails" else podstatus.INJECTED
                self._update(uid, partial(podstatus.init_failed, why=why, now=now, name=name))
            case "InitPull":
                self._update(uid, partial(podstatus.init_waiting, why=why))
            case _:
                self._update(uid, partial(podstatus.waiting, why=why))

    def _end(self, uid: str, code: int, message: str, *, reason: str = "") -> None:
        """The program has ended: recorded at once, reported a moment later."""
        run = self._runs[uid]
        if run.stage != "running":
            return
        self._end_execution(uid)
        run.reported |= podstatus.ended(code, message, reason, self._server.time())
        self._later(self._pace.report, partial(self._tell_end, uid))

    def _tell_end(self, uid: str) -> None:
        run, body = self._runs[uid], self._body(uid)
        if body is None or run.machine in self._lost:
            return
        if not podstatus.is_over(body) and not run.why:
            if podstatus.repeats(body, run.reported):
                self.repeats.begin(uid, dict(run.reported))
                return
            # The kubelet reports a pod that it ends itself in one update.
            self._update(uid, partial(podstatus.terminated, end=run.reported))
            alone = len(items(body, "spec", "containers")) == 1
            if not alone and "deletionTimestamp" not in body["metadata"]:
                return  # containers of others run on
            if self._random.random() < self._pace.split_phase:
                self._later(self._pace.report, partial(self._tell_phase, uid))
                return
        self._tell_phase(uid)

    def _vanish(self, uid: str) -> None:
        """Its container is removed while it runs."""
        run, body = self._runs[uid], self._body(uid)
        running = run.stage == "running" and run.machine not in self._lost
        if body is not None and running and podstatus.is_alive(body):
            self._end_execution(uid)
            self.repeats.begin(uid, podstatus.unknown(ran=True))

    def _again(self, uid: str, last: Obj) -> None:
        """Its container is started again; `last` is how it ended before."""
        run, body = self._runs[uid], self._body(uid)
        if body is not None and run.machine not in self._lost and podstatus.repeats(body, last):
            forgets = run.outcome.forgets
            run.outcome = replace(run.outcome.again or run.outcome, forgets=forgets)
            self._execute(uid, body, partial(self.repeats.started, uid, last))

    def _tell_phase(self, uid: str) -> None:
        run, body = self._runs[uid], self._body(uid)
        if body is None or run.machine in self._lost:
            return
        if not podstatus.is_over(body):
            self._update(uid, partial(self._over, run))
        body = self._body(uid)
        if body is not None and "deletionTimestamp" in body["metadata"]:
            self._delete(uid, _FORCE)

    @staticmethod
    def _over(run: Life, status: Obj) -> None:
        podstatus.terminated(status, end=run.reported)
        podstatus.over(status, end=run.reported, why=run.why)
        if run.outcome.forgets:
            podstatus.forgotten(status)

    def _stop(self, uid: str) -> None:
        """The pod is being deleted: let its program end, and then let go of it."""
        body, run = self._body(uid), self._runs.get(uid)
        if body is None:
            return
        if run is None:
            if section(body, "status").get("phase") == "Pending":
                give_up = partial(self._give_up, uid, podstatus.never_ran)
                self._agenda.after(_POD_GC_SECONDS, give_up)
            return
        if run.machine in self._lost:
            return
        if run.stage == "running":
            self._signal(uid, body["metadata"].get("deletionGracePeriodSeconds", 30))
        elif run.stage == "bound":
            self._end_unstarted(uid)
        elif body["metadata"].get("deletionGracePeriodSeconds") or not podstatus.is_over(body):
            self._tell_end(uid)  # also of a forced deletion: containers of others end too

    def _signal(self, uid: str, grace: float) -> None:
        outcome = self._runs[uid].outcome
        if outcome.stop_seconds is not None and outcome.stop_seconds < grace:
            end = partial(self._end, uid, outcome.stop_code, outcome.stop_message)
            self._agenda.after(outcome.stop_seconds, end)
        else:
            self._agenda.after(grace, partial(self._end, uid, 137, ""))

    def _deadline(self, uid: str) -> None:
        """activeDeadlineSeconds: the program is asked to end as by a deletion, and the pod has
        failed even if it then ends well."""
        run, body = self._runs[uid], self._body(uid)
        if body is None or run.stage == "ended":
            return
        run.why = podstatus.DEADLINE
        if run.stage == "bound":
            self._end_unstarted(uid)
        else:
            self._signal(uid, section(body, "spec")["terminationGracePeriodSeconds"])

    def _end_unstarted(self, uid: str) -> None:
        run = self._runs[uid]
        run.stage, run.reported = "ended", podstatus.unknown()
        self._tell_end(uid)

    def _end_execution(self, uid: str) -> None:
        run = self._runs.get(uid)
        if run is None:
            return
        run.stage = "ended"
        if run.execution is not None and run.execution.ended_at is None:
            run.execution.ended_at = self._agenda.clock.monotonic()

    def _taint_manager(self, uid: str) -> None:
        run, body = self._runs.get(uid), self._body(uid)
        if run is None or body is None or run.machine not in self._lost:
            return
        if "deletionTimestamp" not in body["metadata"]:
            self.evict(uid, reason="DeletionByTaintManager")

    def _give_up(self, uid: str, change: Any) -> None:
        """PodGC: it writes the end that no kubelet will, and removes the pod."""
        body = self._body(uid)
        if body is None:
            return
        if not podstatus.is_over(body):
            self._update(uid, change)
        self._delete(uid, _FORCE)

    def _pods_on(self, machine: str) -> list[Obj]:
        pods = list(self._server.storage.scan(Kind.POD))
        return [body for body in pods if section(body, "spec").get("nodeName") == machine]

    def _update(self, uid: str, change: Any) -> None:
        body = self._body(uid)
        if body is None:
            return
        metadata = body["metadata"]
        self._server.update(
            Kind.POD,
            namespace=metadata["namespace"],
            name=metadata["name"],
            change=lambda pod: podstatus.changed(pod, change),
            subresource="status",
            by="kubelet",
        )

    def _delete(self, uid: str, options: Deletion) -> None:
        body = self._body(uid)
        if body is not None:
            metadata = body["metadata"]
            self._server.delete(
                Kind.POD,
                namespace=metadata["namespace"],
                name=metadata["name"],
                options=options,
            )

    def _body(self, uid: str) -> Obj | None:
        found = self._server.storage.find(uid)
        return found[1] if found else None

    def _later(self, bounds: tuple[float, float], callback: Any) -> None:
        self._agenda.after(self._random.uniform(*bounds), callback)
