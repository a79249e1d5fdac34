"""The installed operator, and what can happen to it: killed, frozen, deleted, scaled to zero.

Of its replicas one works: "the operator", unless a test says otherwise, is the one with the Lease.

Signals go to the process itself, from the machine the pod runs on: the host for the embedded
cluster, the node's container for kind. With CLUSTER=current there is no such way, and the tests
that need one are skipped by name.
"""

import signal
import subprocess
from dataclasses import dataclass
from typing import Any

from e2e.suite.kube import Kube, Obj, path_of
from e2e.suite.waiting import until

NAMESPACE = "waypost-system"
RELEASE = "waypost"
OPERATOR_USER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
SELECTOR = "app.kubernetes.io/component=operator,app.kubernetes.io/instance=waypost"
LEASE = "waypost-operator"
REPLICAS = 2  # as the chart has it
READY_SECONDS = 60.0

# Pod cgroups are named pod<uid>, with _ for - where systemd manages them.
_FIND = """
for file in $(grep -ls -e "pod{uid}" -e "pod{escaped}" /proc/[0-9]*/cgroup); do
  folder=${{file%/cgroup}}
  tr '\\0' ' ' < "$folder/cmdline" 2>/dev/null | grep -q waypost && echo "${{folder#/proc/}}"
done
"""


# Every process of a pod but the one that holds its namespaces.
_PROGRAMS = """
for file in $(grep -ls -e "pod{uid}" -e "pod{escaped}" /proc/[0-9]*/cgroup); do
  folder=${{file%/cgroup}}
  tr '\\0' ' ' < "$folder/cmdline" 2>/dev/null | grep -q '^/pause' || echo "${{folder#/proc/}}"
done
"""


def metrics_path(pod: Obj) -> str:
    """Path of an operator pod's metrics, by way of the API server."""
    return path_of("pods", NAMESPACE, f"{pod['metadata']['name']}:8080", "proxy/metrics")


@dataclass(frozen=True, slots=True)
class Machine:
    """A shell on the machine that runs the pods."""

    prefix: tuple[str, ...]

    def shell(self, script: str) -> str:
        """What the script prints."""
        argv = [*self.prefix, "sh", "-c", script]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout

    def signal(self, pod_uid: str, number: signal.Signals) -> None:
        """Send a signal to the operator's processes in a pod, of which there must be one."""
        script = _FIND.format(uid=pod_uid, escaped=pod_uid.replace("-", "_"))
        pids = self.shell(script).split()
        assert pids, f"no process of pod {pod_uid} on the machine"
        self.shell(f"kill -{number.value} {' '.join(pids)}")

    def programs(self, pod_uid: str) -> list[str]:
        """Process ids of the programs of a pod that run."""
        script = _PROGRAMS.format(uid=pod_uid, escaped=pod_uid.replace("-", "_"))
        return self.shell(script).split()

    def kill_programs(self, pod_uid: str) -> None:
        """SIGKILL to all programs of a pod, as the kernel would when memory is short."""
        self.shell(f"kill -9 {' '.join(self.programs(pod_uid))}")


def machine_of(provider: str, cluster: str) -> Machine | None:
    """The machine of a one-node cluster; None where it is out of reach."""
    if provider == "embedded":
        return Machine(())
    if provider == "kind":
        return Machine(("docker", "exec", f"{cluster}-control-plane"))
    return None


@dataclass(frozen=True, slots=True)
class Operator:
    """The Deployment of the chart."""

    kube: Kube
    machine: Machine | None

    def pods(self) -> list[Obj]:
        """Its pods that are not on their way out."""
        found = self.kube.request("GET", path_of("pods", NAMESPACE), labelSelector=SELECTOR)
        return [p for p in found["items"] if "deletionTimestamp" not in p["metadata"]]

    def holder(self) -> str:
        """Who has the Lease: a pod's name, and what tells its process from others; "" if nobody."""
        lease = self.kube.get(path_of("leases", NAMESPACE, LEASE)) or {}
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def pod(self) -> Obj | None:
        """The pod that works, if there is one and it is ready."""
        leader = self.holder().partition("_")[0]
        ready = (pod for pod in self.pods() if is_ready(pod))
        return next((pod for pod in ready if pod["metadata"]["name"] == leader), None)

    def standby(self) -> Obj | None:
        """A pod that is ready and does not work, if there is one."""
        leader = self.holder().partition("_")[0]
        ready = (pod for pod in self.pods() if is_ready(pod))
        return next((pod for pod in ready if pod["metadata"]["name"] != leader), None)

    def ready(self) -> Obj:
        """The pod that works, once there is one."""
        return until(self.pod, within=READY_SECONDS, what="an operator works")

    def scale(self, replicas: int = REPLICAS) -> None:
        """0: return when none is left. Else: when one works and, with several, one stands by."""
        path = path_of("deployments", NAMESPACE, RELEASE, "scale")
        body = {"spec": {"replicas": replicas}}
        self.kube.request("PATCH", path, body, content_type="application/merge-patch+json")
        if replicas:
            self.ready()
            if replicas > 1:
                until(self.standby, within=READY_SECONDS, what="an operator stands by")
        else:
            until(lambda: not self._listed(), within=60, what="no operator is left")

    def send(self, pod: Obj, number: signal.Signals) -> None:
        """Signal the process of a pod."""
        assert self.machine is not None, "the test must ask for the fixture `machine`"
        self.machine.signal(pod["metadata"]["uid"], number)

    def crash(self, pod: Obj) -> None:
        """SIGKILL the process, then replace the pod: the kubelet would restart the container
        after 10, 20, 40 s, and ten crashes would take an hour."""
        self.send(pod, signal.SIGKILL)
        self.remove(pod)

    def remove(self, pod: Obj) -> None:
        """Delete a pod without grace."""
        path = path_of("pods", NAMESPACE, pod["metadata"]["name"])
        self.kube.request("DELETE", path, {"gracePeriodSeconds": 0})

    def logs(self) -> str:
        """The end of the log, for failure messages."""
        arguments = ("-n", NAMESPACE, "logs", "-l", SELECTOR, "--tail=40")
        return self.kube.run("kubectl", *arguments).stdout

    def metrics(self) -> dict[str, float]:
        """The metrics of the one that works: sample name with labels -> value."""
        return self.metrics_of(self.ready())

    def metrics_of(self, pod: Obj) -> dict[str, float]:
        """The metrics of a pod: sample name with labels -> value."""
        text = self.kube.request("GET", metrics_path(pod))
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines if name}

    def twin(self, name: str, **environment: str) -> Obj:
        """An operator beside the Deployment's, in a separate pod, that works without the Lease.
        It is ready when this returns."""
        environment = {"WAYPOST_LEASE_NAMESPACE": "", **environment}
        found = self.kube.get(path_of("deployments", NAMESPACE, RELEASE))
        assert found is not None, "the chart is not installed"
        spec: dict[str, Any] = found["spec"]["template"]["spec"]
        env = [e for e in spec["containers"][0]["env"] if e["name"] not in environment]
        env += [{"name": key, "value": value} for key, value in environment.items()]
        spec["containers"][0]["env"] = env
        del spec["containers"][0]["livenessProbe"]  # it would end a frozen process
        metadata = {"name": name, "labels": {"twin": name}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self.kube.request("POST", path_of("pods", NAMESPACE), pod)

        def ready() -> Obj | None:
            body = self.kube.get(path_of("pods", NAMESPACE, name))
            return body if body and is_ready(body) else None

        return until(ready, within=READY_SECONDS, what=f"operator {name} is ready")

    def _listed(self) -> list[Obj]:
        found = self.kube.request("GET", path_of("pods", NAMESPACE), labelSelector=SELECTOR)
        items: list[Obj] = found["items"]
        return items


def is_ready(pod: Obj) -> bool:
    """Whether a pod's condition Ready is True."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
