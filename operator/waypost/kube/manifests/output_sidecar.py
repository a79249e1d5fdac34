"""The sidecar of a `container` node whose output may be large
(docs/adr/0009-big-outputs-of-foreign-images.md)."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.protocol import carrying
from waypost.protocol.request import Request

_VOLUME: Final = "out"
_MOUNT: Final = {"name": _VOLUME, "mountPath": carrying.MOUNT}
_SHARED: Final = ("WAYPOST_OUTPUT", "WAYPOST_POD_UID")
# The output is in memory twice, as text and as values; before that only a shell runs.
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "64Mi"},
}


def add_output_sidecar(
    pod: JsonObject,
    *,
    image: str,
    pull_policy: str,
    token: tuple[JsonObject, JsonObject] | None,
) -> None:
    """Add the sidecar to a pod's spec, and the folder that it shares with the program.

    Only the sidecar gets the `token` (volume and mount) of the pod. It has no /tmp: in a shared
    one, the program could place code that our Python would import.
    """
    program = pod["containers"][0]
    volume = {"name": _VOLUME, "emptyDir": {"sizeLimit": carrying.FOLDER_LIMIT}}
    mounts = [_MOUNT, *(each for each in program["volumeMounts"] if each["name"] == "in")]
    pod["volumes"].append(volume)
    if token is not None:
        pod["volumes"].append(token[0])
        mounts.append(token[1])
    program["volumeMounts"].append(_MOUNT)
    pod["initContainers"] = [
        {
            "name": carrying.CONTAINER,
            "image": image,
            "imagePullPolicy": pull_policy,
            "restartPolicy": "Always",  # what makes it a sidecar
            "command": list(carrying.COMMAND),
            "env": [each for each in program["env"] if each["name"] in _SHARED],
            "resources": _RESOURCES,
            "terminationMessagePath": program["terminationMessagePath"],
            "terminationMessagePolicy": "File",
            "securityContext": program["securityContext"],
            "volumeMounts": mounts,
        }
    ]


def share_secrets(pod: JsonObject, request: Request) -> None:
    """Give the sidecar of a pod the Secrets of the program whose values must not be in the output.

    Under other names and places: with a variable PYTHONPATH the program could have its code run
    with the token of the sidecar.
    """
    program = pod["containers"][0]
    sidecar = next(one for one in pod["initContainers"] if one["name"] == carrying.CONTAINER)
    named = {each["name"]: each for each in program["env"]}
    for name in request.secret_env:
        sidecar["env"].append({**named[name], "name": f"{carrying.SECRET_VARIABLE}{name}"})
    mounts = {each["mountPath"]: each for each in program["volumeMounts"]}
    for number, folder in enumerate(request.secret_folders):
        place = f"{carrying.SECRET_FOLDERS}/{number}"
        sidecar["volumeMounts"].append({**mounts[folder], "mountPath": place})
