"""Kind `python`: the pod of the runner, or of an image built from it."""

from typing import Final

from waypost.api.workflow import Node
from waypost.kube.kinds.kind import OwnImages, PodKind


def _image(node: Node, images: OwnImages) -> str:
    return (node.python and node.python.image) or images.runner


KIND: Final = PodKind("python", image=_image)
