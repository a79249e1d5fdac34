"""Containers that the kubelet starts again, although Waypost sets restartPolicy Never: a webhook or
a policy of others has changed the pod. Reading a body never raises."""

from typing import Any, Final

from waypost.kube.objects import items, moment, named, section, text

# The kubelet does not know how the container ended: exit code and message are placeholders.
CONTAINER_STATUS_UNKNOWN: Final = "ContainerStatusUnknown"
_NEVER: Final = ("", "Never")
ALWAYS: Final = "Always"


def policy_of(spec: Any, container: str) -> str:
    """What makes the kubelet start a container of a pod again, from the pod's spec: Always,
    OnFailure or restartPolicyRules; "" for nothing."""
    own = named(items(spec, "containers"), container)
    policy = text(own, "restartPolicy") or text(section(spec), "restartPolicy")
    if policy in _NEVER:
        return "restartPolicyRules" if own.get("restartPolicyRules") else ""
    return policy


def count_of(container: Any, pod: Any) -> int:
    """How often a container has been started again, from its status and the status of its pod.

    A kubelet that ends a pod itself, such as for an eviction, and does not find the container
    counts a restart that never comes (`convertToAPIContainerStatuses` in kubelet_pods.go). It
    shows the container as waiting then, until it has cleaned up (`TerminatePod`).
    """
    count = _count_of(container)
    ended_by_kubelet = text(pod, "phase") == "Failed" and bool(text(pod, "reason"))
    waits = bool(section(container, "state", "waiting"))
    presumed = ended_by_kubelet and (waits or _is_placeholder(container, "state"))
    return count - 1 if count and presumed and _is_placeholder(container, "lastState") else count


def _count_of(container: Any) -> int:
    count = section(container).get("restartCount")
    return count if type(count) is int and count > 0 else 0


def _is_placeholder(container: Any, field: str) -> bool:
    """Whether a state says that the kubelet did not find the container."""
    ended = section(container, field, "terminated")
    unknown = text(ended, "reason") == CONTAINER_STATUS_UNKNOWN
    return unknown and moment(ended, "startedAt") is None


def first_state(container: Any) -> dict[str, Any]:
    """The state that counts, from the status of a container: of its first run. It is empty if
    the kubelet does not have it any more; it keeps only the end of the run before the last."""
    count = _count_of(container)
    if count == 0:
        return section(container, "state")
    last = section(container, "lastState")
    return {"terminated": section(last, "terminated")} if count == 1 and last else {}


def words(policy: str, count: int) -> str:
    """What happened, what was expected, and what to do."""
    if not policy:
        return (
            f"the kubelet has started its program {count + 1} times, although its pod has "
            "restartPolicy Never: its container was gone from the machine while it ran"
        )
    found = f"its pod has {_shown(policy)}"
    begun = f"the kubelet has started its program {count + 1} times" if count else ""
    cause = f"{begun}, because {found}" if begun else f"the kubelet would repeat it: {found}"
    return (
        f"{cause}, where Waypost sets Never; exempt pods with the label waypost.dev/run from the "
        "webhook or policy that changes it"
    )


def explained(refusal: str) -> str:
    """The words of the API server for a Job that it refuses, with what to do if a webhook has
    changed its restartPolicy."""
    if "restartPolicy" not in refusal or "podFailurePolicy is specified" not in refusal:
        return refusal
    return (
        f"{refusal}; a webhook or policy has changed the restartPolicy Never of the Job: exempt "
        "Jobs with the label waypost.dev/run from it"
    )


def _shown(policy: str) -> str:
    return policy if policy == "restartPolicyRules" else f"restartPolicy {policy}"
