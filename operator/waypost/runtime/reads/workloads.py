"""Workloads of Kueue, read live: why a queue holds a Job."""

from typing import Final

from waypost.kube.facts.workloads import LABEL_JOB_UID, WorkloadFact, workload_fact
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, failure_text

_VERSIONS: Final = (Kind.WORKLOAD, Kind.WORKLOAD_V1BETA1)  # the newest first


async def workload_of(cluster: Cluster, *, namespace: str, uid: str) -> WorkloadFact | None:
    """What the queue of a Job says of it.

    Args:
        cluster: Where to read.
        namespace: The namespace of the Job.
        uid: Its uid.

    Returns:
        The fact of its Workload; None if there is none, or no Kueue in this cluster. If it cannot
        be read, the queue is taken to hold the Job: that ends no attempt.
    """
    for version in _VERSIONS:
        try:
            found = await cluster.list(
                version, namespace=namespace, labels=f"{LABEL_JOB_UID}={uid}"
            )
        except NotFound:
            continue
        except ClusterError as error:
            return WorkloadFact(True, f"its Workload cannot be read: {failure_text(error)}")
        if facts := [workload_fact(body) for body in found.items]:
            return next((fact for fact in facts if fact.holds), facts[0])
    return None
