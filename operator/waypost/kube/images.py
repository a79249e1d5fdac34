"""The digest of an image that a pod has run, so that later attempts run the same one.

A tag can move between two attempts. The operator asks no registry: it takes what the first pod
shows.
"""

import re
from typing import Final

_DIGEST: Final = re.compile(r"(?P<repository>.+)@(?P<digest>sha256:[0-9a-f]{64})")
_HUB: Final = "docker.io"


def digest_of(image: str, image_id: str) -> str:
    """The digest with which an image can be named.

    Args:
        image: The image as the node names it.
        image_id: `imageID` of the container, as the runtime shows it.

    Returns:
        `sha256:<hex>`; "" if the node has a digest already, or if the runtime names no digest of
        the same repository: it has no such name then (an image that was loaded from a file).
    """
    found = _DIGEST.fullmatch(image_id.removeprefix("docker-pullable://"))
    if found is None or "@" in image:
        return ""
    return found["digest"] if _repository(image) == _repository(found["repository"]) else ""


def pinned(image: str, digest: str) -> str:
    """The image with a digest. Container runtimes ignore the tag then."""
    return f"{image}@{digest}"


def _repository(image: str) -> str:
    """The whole name of a repository, with its registry and without a tag."""
    head, slash, last = image.rpartition("/")
    name = head + slash + last.partition(":")[0]
    first, _, rest = name.partition("/")
    if not rest:
        return f"{_HUB}/library/{name}"
    if not ("." in first or ":" in first or first == "localhost"):
        return f"{_HUB}/{name}"
    return f"{_HUB}/{rest}" if first == "index.docker.io" else name
