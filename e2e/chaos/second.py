"""The second machine: send the next pods there, drain it, lose it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.cluster.embedded.machine import Machine
from e2e.cluster.embedded.provider import Embedded
from e2e.suite.kube import MERGE, Kube
from e2e.suite.operators import Machine as Host
from e2e.suite.waiting import until

DOWN_SECONDS = 3.0  # the outage itself, nothing is waited for
LOST_WITHIN = 45.0  # the cluster's grace is 24 s, and it looks every 5 s


@dataclass(frozen=True, slots=True)
class Second:
    """Machine 2 of the embedded cluster."""

    kube: Kube
    control: Embedded
    machine: Machine
    host: Host

    @contextmanager
    def taking_all(self) -> Iterator[None]:
        """Pods that start meanwhile start there, and none afterwards."""
        self._cordon(self.machine.node, on=False)
        self._cordon(self.control.node, on=True)
        try:
            yield
        finally:
            self._cordon(self.control.node, on=False)
            self._cordon(self.machine.node, on=True)

    def drain(self) -> None:
        """As an administrator does it before a reboot."""
        self.kube.must("kubectl", "drain", self.machine.node, "--force", "--delete-emptydir-data")

    def open(self) -> None:
        """Let the scheduler choose it from now on."""
        self._cordon(self.machine.node, on=False)

    def drained(self) -> None:
        """A drain, and the machine is back."""
        self.drain()
        self.open()

    def kubelet_restarted(self) -> None:
        """SIGKILL to the kubelet, and after a while it is back; pods run on."""
        self.machine.kill_kubelet()
        time.sleep(DOWN_SECONDS)
        self.machine.start()

    def power_cut(self) -> None:
        """Everything on it is gone at once; after a while it comes up again."""
        self.machine.stop()
        time.sleep(DOWN_SECONDS)
        self.machine.start()

    def programs_of(self, pod_uid: str) -> list[str]:
        """Process ids of a pod's programs, as the host sees them and no kubelet needs to."""
        return self.host.programs(pod_uid)

    def is_ready(self) -> bool:
        """What the cluster believes of it."""
        node = self.kube.get(f"/api/v1/nodes/{self.machine.node}") or {}
        conditions = node.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def is_lost(self) -> None:
        """Return once the cluster has noticed."""
        until(lambda: not self.is_ready(), within=LOST_WITHIN, what="the machine is not Ready")

    def _cordon(self, node: str, *, on: bool) -> None:
        path, body = f"/api/v1/nodes/{node}", {"spec": {"unschedulable": on}}
        self.kube.request("PATCH", path, body, content_type=MERGE)
