"""What `isolation` of a node adds to its pod (docs/isolation.md)."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.isolation.model import READ_ONLY_SOURCES, Isolation, Volume

# The names of a user's volumes never equal those of volumes that the pod needs.
VOLUME_PREFIX: Final = "user-"
_SHM: Final = "shm"
_SHM_PATH: Final = "/dev/shm"  # a path in the pod


def add_isolation(pod: JsonObject, isolation: Isolation, *, account: str) -> None:
    """Add to a pod's spec what the isolation declares. Sizes of /tmp are set where it is made.

    Volumes are mounted into the container of the node; of sidecars, only that of the output gets
    the Secrets that it compares (`output_sidecar.share_secrets`). `account` is the
    ServiceAccount of a node that names none; "" leaves it to Kubernetes.
    """
    plain = {
        "serviceAccountName": isolation.service_account_name or account or None,
        "runtimeClassName": isolation.runtime_class_name,
        "hostUsers": isolation.host_users,
        "nodeSelector": isolation.node_selector,
        "affinity": isolation.affinity,
        "priorityClassName": isolation.priority_class_name,
    }
    pod |= {name: value for name, value in plain.items() if value is not None}
    pod["tolerations"] += isolation.tolerations or []
    mounts = pod["containers"][0]["volumeMounts"]
    if isolation.shm is not None:
        memory = {"medium": "Memory", "sizeLimit": isolation.shm}
        pod["volumes"].append({"name": _SHM, "emptyDir": memory})
        mounts.append({"name": _SHM, "mountPath": _SHM_PATH})
    for volume in isolation.volumes or ():
        name = f"{VOLUME_PREFIX}{volume.name}"
        pod["volumes"].append({"name": name, **volume.sources})
        mounts.append(_mount(name, volume))


def _mount(name: str, volume: Volume) -> JsonObject:
    mount: JsonObject = {"name": name, "mountPath": volume.mount_path}
    if volume.sub_path is not None:
        mount["subPath"] = volume.sub_path
    if volume.read_only or set(volume.sources) & set(READ_ONLY_SOURCES):
        mount["readOnly"] = True
    return mount
