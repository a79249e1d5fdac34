"""What an attempt takes: the operator pins a record and a digest for each entry of artifacts.in
and for each attachment.

An expression can only choose between artifacts that checkpoints of this run, of its child runs or
of the runs above name: the output of a model or of a program cannot name another one.
"""

from waypost.api.base import JsonObject
from waypost.api.workflow import Node
from waypost.engine.state.artifacts import known, named
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.kube.manifests.artifacts import (
    ArtifactPlan,
    PinnedArtifact,
    plan,
    taken_by,
    volumes_of,
)
from waypost.kube.manifests.attempt_job import TooLarge
from waypost.protocol.artifacts.limits import ATTACHMENT_BYTES, ATTACHMENT_VOLUME
from waypost.protocol.artifacts.request import Content

_NO_GATEWAY = (
    "artifacts need the gateway, and this installation has none; set gateway.enabled in the "
    "chart's values"
)


def resolve(
    transition: Transition, node: Node, view: JsonObject
) -> ArtifactPlan | Invalid | TooLarge | None:
    """The artifacts of an attempt that is about to be launched.

    Args:
        transition: The next status of the run.
        node: The node.
        view: The evaluation context of the fields of the node.

    Returns:
        None if the node has none; Invalid if an expression gives something else; TooLarge if the
        attachments are larger than a call of a model takes.
    """
    volumes, pinned = volumes_of(node), []
    if not volumes:
        return None
    if transition.settings.gateway_url is None:
        return Invalid(_NO_GATEWAY)
    for entry in taken_by(node):
        found = _entry(transition, entry.from_, volumes[entry.path], view)
        if isinstance(found, str):
            return Invalid(f"{entry.field}: {found}")
        pinned += found
    attached = [one for one in pinned if one.volume.startswith(ATTACHMENT_VOLUME)]
    size = sum(one.content.bytes for one in attached)
    if size > ATTACHMENT_BYTES:
        text = f"the attachments have {size} bytes, the limit is {ATTACHMENT_BYTES}"
        return TooLarge(f"{text}; attach smaller files, or give the folder to a tool")
    return plan(node, pinned)


def _entry(
    transition: Transition, from_: str, volume: str, view: JsonObject
) -> list[PinnedArtifact] | str:
    """What an entry takes; a text if it cannot be used."""
    found = named(from_, view, known(transition))
    if isinstance(found, str):
        return found
    return [
        PinnedArtifact(volume, folder, Content(one.digest, one.bytes, one.files), one.record)
        for folder, one in found
    ]
