"""Kind `container`: run any image."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import Model, keyed_by
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import EnvVar, Image, PullPolicy, Resources, Template


class ContainerKind(Model):
    """Run any image. Inputs are files under /waypost/in, the output is JSON in the file
    $WAYPOST_OUTPUT."""

    image: Image = Field(description="Image to run.")
    image_pull_policy: PullPolicy | None = Field(
        default=None,
        description="Image pull policy, as in core/v1. Default: the default of the cluster.",
    )
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
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=50,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    )
    large_output: bool | None = Field(
        default=None,
        description="Set to true if the output can be 4 KiB or larger. A sidecar then uploads it "
        "to the gateway, which takes about a second after the program has ended.",
    )
    resources: Resources | None = Field(default=None, description="Compute resources.")


KIND: Final = NodeKind("container", ContainerKind)
