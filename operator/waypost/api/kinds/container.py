"""Kind `container`: run any image."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import ContainerResources, Env, Image, ImagePullPolicy, Template


class ContainerKind(Model):
    """Run any image. Inputs are files under /waypost/in, the output is JSON in the file
    $WAYPOST_OUTPUT."""

    image: Image = Field(description="Image to run.")
    image_pull_policy: ImagePullPolicy = None
    command: list[Annotated[str, StringConstraints(max_length=8192)]] | None = Field(
        default=None,
        max_length=64,
        description="Command that replaces the image's entrypoint. ${...} is not evaluated here.",
    )
    args: list[Template] | None = Field(
        default=None,
        max_length=64,
        description="Arguments. ${...} is evaluated. Do not build shell commands from data: pass "
        "the data by env or read it from /waypost/in/inputs.",
    )
    env: Env = None
    large_output: bool | None = Field(
        default=None,
        description="Set to true if the output can be 4 KiB or larger. A sidecar then uploads it "
        "to the gateway, which takes about a second after the program has ended.",
    )
    resources: ContainerResources = None


KIND: Final = NodeKind("container", ContainerKind)
