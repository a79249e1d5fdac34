"""Kind `agent`: the pod of the agent image, or of an image built from it."""

from typing import Final

from waypost.api.workflow import Node
from waypost.kube.kinds.kind import OwnImages, PodKind


def _image(node: Node, images: OwnImages) -> str:
    return (node.agent and node.agent.image) or images.agent


KIND: Final = PodKind("agent", image=_image, calls_models=True)
