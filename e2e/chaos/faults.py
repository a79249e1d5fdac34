"""What can be done to a run and to what carries it. Each fault returns when it has happened, not
when it is over."""

import http.client
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from e2e.chaos.second import Second
from e2e.cluster.embedded.provider import Embedded
from e2e.suite.kube import ApiError, Kube, Obj, path_of
from e2e.suite.operators import NAMESPACE, Machine, Operator, metrics_path
from e2e.suite.space import Space, container_state

GATEWAY = "app.kubernetes.io/component=gateway,app.kubernetes.io/instance=waypost"
DOWN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Kill:
    """Of an operator: when, and whether another one stood by."""

    at: float
    warm: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """Where faults happen. `host`: a shell where the pods' processes are; `control`: the cluster's
    own programs; `second`: a machine that may be lost, if there is one."""

    space: Space
    operator: Operator
    host: Machine
    control: Embedded
    second: Second | None = None

    def program_killed(self, pod: Obj) -> None:
        """SIGKILL to the program of a node; nobody tells the API server why."""
        self.host.kill_programs(pod["metadata"]["uid"])

    def pod_deleted(self, pod: Obj) -> None:
        """As `kubectl delete pod`: SIGTERM, then the pod's grace."""
        self._delete(pod)

    def pod_forced(self, pod: Obj) -> None:
        """As `kubectl delete pod --force`: no grace."""
        self._delete(pod, grace=0)

    def pod_evicted(self, pod: Obj) -> None:
        """As `kubectl drain` does it: by the eviction API."""
        name = pod["metadata"]["name"]
        metadata = {"name": name, "namespace": self.space.name}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        self.space.kube.request("POST", path_of("pods", self.space.name, name, "eviction"), body)

    def job_deleted(self, pod: Obj) -> None:
        """The Job of a pod, in the background: the pod gets its grace."""
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        _tolerate_absence(lambda: self.space.delete("jobs", owner))

    def operator_killed(self) -> Kill | None:
        """SIGKILL to the leader, or to any operator if there is no leader; None if there is no
        operator."""
        running = (p for p in self.operator.pods() if container_state(p, "running"))
        pod = self.operator.pod() or next(running, None)
        if pod is None:
            return None
        warm = self._is_stood_by()
        self.operator.send(pod, signal.SIGKILL)
        kill = Kill(time.time(), warm=warm)
        self.operator.remove(pod)  # the kubelet would let it wait after a few crashes
        return kill

    def _is_stood_by(self) -> bool:
        """Whether another operator answers. That its pod is Ready may be old news: its machine may
        have lost its power since."""
        pod = self.operator.standby()
        if pod is None:
            return False
        try:  # once: the patient client would wait for an answer
            Kube.request(self.space.kube, "GET", metrics_path(pod))
        except (ApiError, OSError, http.client.HTTPException):
            return False
        return True

    def gateway_killed(self) -> None:
        """SIGKILL to all replicas of the gateway at once; the kubelet starts them again."""
        for pod in self.gateways():
            self.host.signal(pod["metadata"]["uid"], signal.SIGKILL)

    def gateway_replaced(self) -> None:
        """SIGKILL to all replicas, and new pods in their place: the kubelet lets a container that
        was killed often wait for minutes."""
        for pod in self.gateways():
            self.host.signal(pod["metadata"]["uid"], signal.SIGKILL)
            self.operator.remove(pod)

    def gateways(self) -> list[Obj]:
        """The gateway's pods that run."""
        path = path_of("pods", NAMESPACE)
        found = self.space.kube.request("GET", path, labelSelector=GATEWAY)["items"]
        return [pod for pod in found if container_state(pod, "running")]

    def approval_deleted(self, approval: Obj) -> None:
        """A question that is still open."""
        name = approval["metadata"]["name"]
        _tolerate_absence(lambda: self.space.delete("approvals", name))

    def api_server_killed(self) -> None:
        """SIGKILL, and for a while nobody answers."""
        self._restarted("kube-apiserver")

    def etcd_killed(self) -> None:
        """SIGKILL, and for a while nothing can be written or read; its data stay."""
        self._restarted("etcd")

    def _restarted(self, component: str) -> None:
        self.control.kill(component)
        time.sleep(DOWN_SECONDS)  # this is the outage, nothing is waited for
        self.control.up()

    def _delete(self, pod: Obj, *, grace: int | None = None) -> None:
        name = pod["metadata"]["name"]
        _tolerate_absence(lambda: self.space.delete("pods", name, grace=grace))


def _tolerate_absence(delete: Callable[[], None]) -> None:
    """Under chaos the target may have gone by itself."""
    try:
        delete()
    except ApiError as error:
        if error.code != 404:
            raise
