"""Kind `http`: the pod of the runner."""

from typing import Final

from waypost.api.workflow import Node
from waypost.kube.kinds.kind import OwnImages, PodKind


def _image(node: Node, images: OwnImages) -> str:
    return images.runner


KIND: Final = PodKind("http", image=_image, calls_hosts=True)
