"""What happens to Jobs and pods: the other half of the simulated cluster.

work = Workloads(cluster, program=lambda pod: pod.succeeds({"n": pod.attempt}), seed=7)
...
assert not work.ledger.doubled() and not work.ledger.overlaps()
"""

from collections.abc import Callable
from typing import Final

from waypost.ports.cluster import Kind, Obj

from tests.fakes.api.deletion import Deletion
from tests.fakes.api.wire import copied
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.nodes.jobs import JobController
from tests.fakes.nodes.kubelet import Kubelet
from tests.fakes.nodes.pace import Pace
from tests.fakes.nodes.programs import Ledger, PodView, Program, echo, view

# As the eviction manager of the kubelet words it.
_MACHINE_IS_LOW: Final = "The node was low on resource: memory. Threshold quantity: 100Mi"
_POD_IS_OVER: Final = (
    "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
)


class Workloads:
    """Job controller, scheduler, kubelets, PodGC of one InMemoryCluster.

    `program` is asked once per pod, when it is scheduled; assign `work.program` to change it.
    """

    def __init__(
        self,
        cluster: InMemoryCluster,
        *,
        program: Program = echo,
        seed: int = 0,
        pace: Pace | None = None,
        machines: tuple[str, ...] = ("m0", "m1"),
    ) -> None:
        self.ledger = Ledger()
        self._cluster = cluster
        self._server = cluster.server
        self._jobs = JobController(server=cluster.server, seed=seed + 2)
        self._kubelet = Kubelet(
            server=cluster.server,
            program=program,
            ledger=self.ledger,
            seed=seed + 3,
            pace=pace or Pace(),
            machines=machines,
        )
        cluster.serve_logs(self._log)

    @property
    def program(self) -> Program:
        return self._kubelet.program

    @program.setter
    def program(self, program: Program) -> None:
        self._kubelet.program = program

    def refuse_pods(self, refusal: Callable[[Obj], str | None]) -> None:
        """From now on `refusal(job)` says with which text a Job's pod is refused (a quota, a
        missing ServiceAccount...), or None."""
        self._jobs.refusal = refusal

    def queue_jobs(self, held: bool) -> None:
        """From now on a queue of others suspends each new Job; or it resumes all there are."""
        self._jobs.queued = held
        for body in list(self._server.storage.scan(Kind.JOB)) if not held else []:
            if body["spec"].get("suspend"):
                self._jobs.hold(body["metadata"]["uid"], False)

    def suspend_job(self, uid: str, suspended: bool) -> None:
        """A person, or a queue of others, suspends a Job, or resumes it."""
        self._jobs.hold(uid, suspended)

    def repeat(self, policy: Callable[[Obj], str]) -> None:
        """From now on `policy(job)` gives the restartPolicy that others set in a Job's pod."""
        self._jobs.restarted = policy

    def inject(self, injected: Callable[[Obj], list[Obj]]) -> None:
        """From now on `injected(job)` gives containers that others put into a Job's pod; they
        run until the pod is deleted."""
        self._jobs.injected = injected

    def start_no_pod(self, trouble: tuple[str, str] | None) -> None:
        """From now on no machine starts a pod, and its Events say why (reason and words); None:
        they start again what waits."""
        self._kubelet.trouble = trouble

    def pods(self, path: str | None = None, *, namespace: str | None = None) -> list[PodView]:
        """The pods there are, by age; of one node, if `path` is given."""
        bodies = self._server.storage.scan(Kind.POD, namespace)
        found = [view(self._server, copied(body)) for body in bodies]
        age = {pod.uid: (pod.body["metadata"]["creationTimestamp"], pod.attempt) for pod in found}
        ordered = sorted(found, key=lambda pod: (*age[pod.uid], pod.name))
        return [pod for pod in ordered if path in (None, pod.path)]

    def evict(self, pod: PodView, *, reason: str = "EvictionByEvictionAPI") -> None:
        """A drain or preemption: DisruptionTarget, then a graceful deletion."""
        self._kubelet.evict(pod.uid, reason=reason)

    def run_out_of(self, pod: PodView, *, disruption: bool, message: str = "") -> None:
        """The kubelet evicts, for its machine (`disruption`) or for the limit of the pod."""
        said = message or (_MACHINE_IS_LOW if disruption else _POD_IS_OVER)
        self._kubelet.pressure(pod.uid, disruption=disruption, message=said)

    def delete_pod(self, pod: PodView, *, grace: int | None = None) -> None:
        """kubectl delete pod; `grace` 0 is --force."""
        metadata = pod.body["metadata"]
        self._server.delete(
            Kind.POD,
            namespace=metadata["namespace"],
            name=metadata["name"],
            options=Deletion(uid=pod.uid, grace=grace),
        )

    def lose_machine(self, name: str) -> None:
        """The machine stops reporting; its programs continue."""
        self._kubelet.lose(name)

    def regain_machine(self, name: str) -> None:
        """The machine is back and reports what has ended meanwhile."""
        self._kubelet.regain(name)

    def remove_machine(self, name: str) -> None:
        """Its Node object is deleted: PodGC ends its pods."""
        self._kubelet.remove(name)

    def _log(self, namespace: str, pod: str, container: str) -> str:
        body = self._server.get(Kind.POD, namespace=namespace, name=pod)
        return self._kubelet.log_of(body["metadata"]["uid"])
