"""What the rendered pod of an attempt uses of what a policy of the platform is about."""

from collections.abc import Collection, Iterator
from typing import Any

from waypost.api.base import JsonObject
from waypost.api.isolation.core import secrets_of
from waypost.api.isolation.model import SOURCES
from waypost.api.isolation.policy import Uses
from waypost.kube.manifests.isolation import VOLUME_PREFIX


def uses_of(pod: JsonObject, *, own_images: Collection[str]) -> Uses:
    """What a pod uses.

    Args:
        pod: Its spec, as the operator renders it.
        own_images: The images of this installation, which each pod may have.
    """
    containers = [*pod["containers"], *pod.get("initContainers", ())]
    mounted = [volume for volume in pod["volumes"] if volume["name"].startswith(VOLUME_PREFIX)]
    sources = [(name, volume[name]) for volume in mounted for name in SOURCES if name in volume]
    images = {container["image"] for container in containers} - set(own_images)
    images |= {value["reference"] for name, value in sources if name == "image"}
    return Uses(
        service_account=pod.get("serviceAccountName"),
        secrets=frozenset(_secrets(pod, containers)),
        images=frozenset(images),
        volumes=frozenset(name for name, _ in sources),
        runtime_class=pod.get("runtimeClassName"),
    )


def _secrets(pod: JsonObject, containers: list[JsonObject]) -> Iterator[str]:
    for container in containers:
        for variable in container.get("env", ()):
            reference: Any = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield reference["name"]
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", ()):
            if "secret" in source:
                yield source["secret"]["name"]
        for name in ("secret", "csi"):
            if name in volume:
                yield from secrets_of(name, volume[name])
