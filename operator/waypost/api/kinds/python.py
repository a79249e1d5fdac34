"""Kind `python`: run a Python function."""

from typing import Final

from pydantic import Field

from waypost.api.base import Model, keyed_by
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import EnvVar, Image, PullPolicy, Resources

FUNCTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"


class PythonKind(Model):
    """Run a Python function. Exactly one of source and function."""

    source: str | None = Field(
        default=None,
        min_length=1,
        max_length=65536,
        description="Python source that defines run(...). The inputs of the node are its keyword "
        "arguments, its return value is the output of the node. ${...} is not evaluated here. "
        "Exactly one of source and function.",
    )
    function: str | None = Field(
        default=None,
        max_length=256,
        pattern=FUNCTION_PATTERN,
        description='Function to call, as "module:name". The module is one of spec.modules or of '
        "the image.",
    )
    image: Image | None = Field(
        default=None,
        description="Image with your own dependencies, built FROM Waypost's runner image.",
    )
    image_pull_policy: PullPolicy | None = Field(
        default=None,
        description="Image pull policy, as in core/v1. Default: the default of the cluster.",
    )
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=50,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    )
    resources: Resources | None = Field(default=None, description="Compute resources.")


KIND: Final = NodeKind("python", PythonKind)
