"""The isolation that a pod has: what its spec declares, and what its probe has measured. Reading it
from a body never raises."""

from dataclasses import dataclass
from typing import Any, Final

from waypost.api import meta
from waypost.api.state.isolation import Control
from waypost.kube.objects import items, named, section, text
from waypost.protocol.isolation import NOTHING, PROBE, REPORT, Measured, parse_measured

_PROFILES: Final = ("RuntimeDefault", "Localhost")


@dataclass(frozen=True, slots=True)
class IsolationFact:
    """The isolation of one pod."""

    declared: tuple[Control, ...] = ()  # what its spec has
    probe_ended: bool = False  # its probe has ended without a failure
    report_only: bool = False  # its probe lets the program start in any case
    measured: Measured = NOTHING


UNKNOWN: Final = IsolationFact()


def isolation_fact(body: Any) -> IsolationFact:
    """The isolation of a pod, as the API server has stored it."""
    spec = section(body, "spec")
    probe = named(items(spec, "initContainers"), PROBE)
    status = named(items(body, "status", "initContainerStatuses"), PROBE)
    ended = section(status, "state", "terminated")
    return IsolationFact(
        declared=tuple(_declared(body, spec)),
        probe_ended=bool(probe) and (not ended or ended.get("exitCode") == 0),
        report_only=bool(named(items(probe, "env"), REPORT)),
        measured=parse_measured(text(ended, "message")),
    )


def _declared(body: Any, spec: dict[str, Any]) -> list[Control]:
    found: list[Control] = []
    pod = section(spec, "securityContext")
    node = section(named(items(spec, "containers"), meta.NODE_CONTAINER), "securityContext")
    if text(section(body, "metadata", "labels"), meta.LABEL_EGRESS):
        found.append("Egress")
    if spec.get("hostUsers") is False:
        found.append("UserNamespace")
    if text(spec, "runtimeClassName"):
        found.append("RuntimeClass")
    profile = section(node, "seccompProfile") or section(pod, "seccompProfile")
    if text(profile, "type") in _PROFILES:
        found.append("Seccomp")
    if _is_restricted(pod, node):
        found.append("Restricted")
    return found


def _is_restricted(pod: dict[str, Any], node: dict[str, Any]) -> bool:
    not_root = node.get("runAsNonRoot", pod.get("runAsNonRoot"))
    capabilities = section(node, "capabilities")
    return (
        not_root is True
        and node.get("privileged") is not True
        and node.get("allowPrivilegeEscalation") is False
        and node.get("readOnlyRootFilesystem") is True
        and capabilities.get("drop") == ["ALL"]
        and not capabilities.get("add")
    )
