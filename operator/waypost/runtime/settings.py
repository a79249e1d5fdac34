"""Settings of the controller, without defaults: `waypost.settings` has them."""

from dataclasses import dataclass
from typing import Final

from waypost.api.isolation.policy import NamespacePolicy
from waypost.kube.logs.policy import LogSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.probes.job import ProbeSettings


@dataclass(frozen=True)
class ApprovalSettings:
    """What is expected of answers.

    Attributes:
        policy: Name of the ValidatingAdmissionPolicy on Approvals and of its binding; "" if none is
            installed.
        strict: Answers that are not verified do not count.
    """

    policy: str
    strict: bool


OPEN: Final = ApprovalSettings(policy="", strict=False)


@dataclass(frozen=True)
class ControllerSettings:
    """Settings of the loop. Times in seconds, writes per second."""

    pods: PodSettings
    policies: tuple[NamespacePolicy, ...] | None  # of the platform; None: no limits
    probes: ProbeSettings
    logs: LogSettings
    workers: int
    namespaces: tuple[str, ...]  # empty: all
    resync_seconds: float
    sweep_seconds: float
    shutdown_seconds: float
    write_qps: float
    write_burst: int
    suspend_new_runs: bool  # no new run is accepted
    archives: bool  # no TTL or history limit deletes a run that is not archived
    approvals: ApprovalSettings
    node_lost_seconds: float  # a machine that is not ready for so long is lost; 0: none is
