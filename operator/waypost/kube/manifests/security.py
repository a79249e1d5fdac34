"""Security contexts of all pods that Waypost creates.

Together they meet the Pod Security Standard "restricted", version 1.25 and later.
"""

from typing import Final

from waypost.api.base import JsonObject

_USER: Final = 65532  # "nonroot" of the distroless images


def pod_security() -> JsonObject:
    """The securityContext of a pod: not root, the runtime's default seccomp profile."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> JsonObject:
    """The securityContext of a container: no capabilities, a read-only root file system."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
