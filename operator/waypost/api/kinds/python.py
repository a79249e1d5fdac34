"""Kind `python`: run a Python function."""

from typing import Final

from pydantic import Field

from waypost.api.base import Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import ContainerResources, Env, Image, ImagePullPolicy

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
    image_pull_policy: ImagePullPolicy = None
    env: Env = None
    resources: ContainerResources = None


KIND: Final = NodeKind("python", PythonKind)
