"""The digest of the image of a node, once a pod has run it."""

from pydantic import Field

from waypost.api.base import StatusModel


class ImageStatus(StatusModel):
    """Digest of the image of the node. All later attempts use it, until the image in the spec
    changes or rerun.from names the node."""

    name: str = Field(max_length=1024, description="Image as the spec names it.")
    digest: str = Field(max_length=80, description="sha256 that the first pod has shown.")
