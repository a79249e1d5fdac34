"""The volumes of artifacts in the pod of an attempt, and the init container that unpacks what the
node takes (docs/adr/0027-artifacts.md)."""

from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.workflow import Node
from waypost.protocol import ijson
from waypost.protocol.artifacts import limits as protocol
from waypost.protocol.artifacts.request import Artifacts, Content, Given, Taken

_SHARED: Final = ("WAYPOST_POD_UID",)
_STORAGE: Final = "ephemeral-storage"
_DEFAULT_SIZE: Final = "256Mi"  # only if neither the node nor the installation limits storage
# It holds a piece of the stream and the names in the folders that are open.
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "1", "memory": "128Mi"},
}


@dataclass(frozen=True)
class PinnedArtifact:
    """An artifact that an attempt takes: the volume and the folder that it gets, and its record."""

    volume: str
    folder: str
    content: Content
    record: str


@dataclass(frozen=True)
class ArtifactPlan:
    """All artifacts of an attempt."""

    request: Artifacts
    records: tuple[str, ...] = ()  # the NodeRecord of each that it takes, in order

    @property
    def pins(self) -> str:
        """The annotation from which the gateway reads what the pod may read and store."""
        document: JsonObject = {
            "in": [
                {"record": record, "digest": one.content.digest}
                for record, one in zip(self.records, self.request.taken, strict=True)
            ],
            "out": {one.name: one.max_bytes for one in self.request.given},
        }
        return ijson.canonical(document).decode()


def plan(node: Node, pinned: list[PinnedArtifact]) -> ArtifactPlan | None:
    """The artifacts of an attempt; None if its node has none.

    Args:
        node: The node.
        pinned: What it takes, in order.
    """
    if node.artifacts is None:
        return None
    volumes = volumes_of(node)
    given = tuple(
        Given(one.name, volumes[one.path], one.path, one.max_bytes or protocol.DEFAULT_BYTES)
        for one in node.artifacts.out or ()
    )
    taken = tuple(Taken(one.volume, one.folder, one.content) for one in pinned)
    return ArtifactPlan(Artifacts(taken, given), tuple(one.record for one in pinned))


def volumes_of(node: Node) -> dict[str, str]:
    """The volume of each folder of a node, by path."""
    listed = node.artifacts
    paths = [one.path for one in (listed and listed.in_) or ()]
    paths += [one.path for one in (listed and listed.out) or ()]
    return {path: f"artifact-{at}" for at, path in enumerate(dict.fromkeys(paths))}


def makes_artifacts(node: Node) -> bool:
    """Whether a node has artifacts.out."""
    return bool(node.artifacts and node.artifacts.out)


def add_artifacts(
    pod: JsonObject,
    node: Node,
    artifacts: Artifacts | None,
    *,
    image: str,
    pull_policy: str,
    token: tuple[JsonObject, JsonObject] | None,
) -> None:
    """Add the volumes, their mounts, and the init container.

    Args:
        pod: The pod's spec, with its container and the sidecar if it has one.
        node: The node.
        artifacts: As in the request.
        image: The image of the runner.
        pull_policy: Its pull policy.
        token: The volume and the mount of the pod's token for the gateway.
    """
    if node.artifacts is None or artifacts is None:
        return
    program = pod["containers"][0]
    folder = {"sizeLimit": program["resources"]["limits"].get(_STORAGE, _DEFAULT_SIZE)}
    written = {one.path for one in node.artifacts.out or ()}
    written |= {one.path for one in node.artifacts.in_ or () if one.writable}
    mounts = []
    for path, volume in volumes_of(node).items():
        pod["volumes"].append({"name": volume, "emptyDir": folder})
        mount = {"name": volume, "mountPath": path}
        program["volumeMounts"].append(mount if path in written else {**mount, "readOnly": True})
        mounts.append({"name": volume, "mountPath": f"{protocol.MOUNT}/{volume}"})
    for sidecar in pod.get("initContainers", ()):
        sidecar["volumeMounts"] = [
            *sidecar["volumeMounts"],
            *({**mount, "readOnly": True} for mount in mounts),
        ]
    if artifacts.taken:
        fetcher = _fetcher(program, mounts, image=image, pull_policy=pull_policy)
        if token is not None:
            if token[0] not in pod["volumes"]:
                pod["volumes"].append(token[0])
            fetcher["volumeMounts"].append(token[1])
        # First: the sidecar need not wait beside it.
        pod["initContainers"] = [fetcher, *pod.get("initContainers", ())]


def _fetcher(
    program: JsonObject, mounts: list[JsonObject], *, image: str, pull_policy: str
) -> JsonObject:
    request = [each for each in program["volumeMounts"] if each["name"] == "in"]
    return {
        "name": protocol.FETCHER,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": list(protocol.FETCH_COMMAND),
        "env": [each for each in program["env"] if each["name"] in _SHARED],
        "resources": _RESOURCES,
        "terminationMessagePolicy": "File",
        "securityContext": program["securityContext"],
        "volumeMounts": [*request, *mounts],
    }
