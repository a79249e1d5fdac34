"""The volumes of artifacts in the pod of an attempt, and the init container that unpacks what the
node takes (docs/adr/0027-artifacts.md)."""

from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.nodes.artifacts import ArtifactOut
from waypost.api.workflow import Node
from waypost.kube.kinds.table import pod_kind
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


@dataclass(frozen=True)
class TakenFolder:
    """A folder of the pod that gets an artifact: the field that names it, and its path."""

    field: str
    from_: str
    path: str
    writable: bool = False


def taken_by(node: Node) -> list[TakenFolder]:
    """The folders with what a node takes, and with its attachments."""
    listed = [
        TakenFolder(f"artifacts.in[{at}].from", one.from_, one.path, bool(one.writable))
        for at, one in enumerate((node.artifacts and node.artifacts.in_) or ())
    ]
    return listed + attachments_of(node)


def attachments_of(node: Node) -> list[TakenFolder]:
    """The folders with the attachments of a node."""
    kind = pod_kind(node)
    return [
        TakenFolder(f"{kind.name}.attachments[{at}].from", from_, f"{protocol.ATTACHMENTS}/{at}")
        for at, from_ in enumerate(kind.attachments(node))
    ]


def plan(node: Node, pinned: list[PinnedArtifact]) -> ArtifactPlan | None:
    """The artifacts of an attempt; None if its node has none.

    Args:
        node: The node.
        pinned: What it takes, in order.
    """
    volumes = volumes_of(node)
    if not volumes:
        return None
    given = tuple(
        Given(one.name, volumes[one.path], one.path, one.max_bytes or protocol.DEFAULT_BYTES)
        for one in _made_by(node)
    )
    taken = tuple(Taken(one.volume, one.folder, one.content) for one in pinned)
    return ArtifactPlan(Artifacts(taken, given), tuple(one.record for one in pinned))


def volumes_of(node: Node) -> dict[str, str]:
    """The volume of each folder of a node, by path."""
    paths = [one.path for one in (node.artifacts and node.artifacts.in_) or ()]
    paths += [one.path for one in _made_by(node)]
    found = {path: f"artifact-{at}" for at, path in enumerate(dict.fromkeys(paths))}
    for at, attached in enumerate(attachments_of(node)):
        found[attached.path] = f"{protocol.ATTACHMENT_VOLUME}{at}"
    return found


def _made_by(node: Node) -> list[ArtifactOut]:
    return (node.artifacts and node.artifacts.out) or []


def makes_artifacts(node: Node) -> bool:
    """Whether a node has artifacts.out."""
    return bool(_made_by(node))


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
    if artifacts is None:
        return
    program = pod["containers"][0]
    folder = {"sizeLimit": program["resources"]["limits"].get(_STORAGE, _DEFAULT_SIZE)}
    written = {one.path for one in _made_by(node)}
    written |= {one.path for one in taken_by(node) if one.writable}
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
