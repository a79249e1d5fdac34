"""Digests of images: the first pod of a node shows one, later attempts use it (S439)."""

from waypost.api.kinds.table import work_of
from waypost.api.state.image import ImageStatus
from waypost.api.workflow import Node
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.kube import images
from waypost.kube.facts.pods import PodFact


def keep(transition: Transition, path: str, pod: PodFact) -> None:
    """Record the digest that a pod of the present definition has run, unless one is known."""
    owner = node_of(path)
    image, status = _image(transition.node(owner)), transition.statuses[owner]
    if image is None or (status.image is not None and status.image.name == image):
        return
    if digest := images.digest_of(image, pod.image_id):
        transition.update(owner, image=ImageStatus(name=image, digest=digest))


def of_attempt(transition: Transition, path: str) -> str:
    """The image with the digest that an attempt has to run; "" if no pod has shown one."""
    owner = node_of(path)
    image, known = _image(transition.node(owner)), transition.statuses[owner].image
    if image is None or known is None or known.name != image:
        return ""
    return images.pinned(image, known.digest)


def _image(node: Node) -> str | None:
    """The image that a node names; None for one that runs an image of this installation."""
    named: str | None = getattr(work_of(node), "image", None)
    return named
