"""Kind `agent`: the pod of the agent image, or of an image built from it."""

from typing import Final

from waypost.api.workflow import Node
from waypost.kube.kinds.kind import OwnImages, PodKind


def _image(node: Node, images: OwnImages) -> str:
    return (node.agent and node.agent.image) or images.agent


def _attachments(node: Node) -> list[str]:
    return [one.from_ for one in (node.agent and node.agent.attachments) or ()]


KIND: Final = PodKind("agent", image=_image, calls_models=True, attachments=_attachments)
