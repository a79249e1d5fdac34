"""The kinds of node: what a node does. Each node has exactly one kind."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model, keyed_by
from waypost.api.pod import EnvVar, Image, PullPolicy, Resources, Template

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


class Approvers(Model):
    """People who may answer. At least one user or group."""

    users: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
        default=None,
        max_length=50,
        description="User names, as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    groups: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
        default=None,
        max_length=50,
        description="Groups, as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    required: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="Number of different people who must approve. Default 1. With more than 1, "
        "each approver adds an entry to spec.votes of the Approval.",
    )


class ApprovalKind(Model):
    """Wait for a person. The operator creates an Approval object; no pod runs while it is open."""

    message: Template = Field(
        min_length=1, description="Question for the approver. ${...} is evaluated."
    )
    context: JsonObject | None = Field(
        default=None,
        max_length=50,
        description="Information for the approver in addition to the question. ${...} is "
        "evaluated.",
    )
    answer_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema for a typed answer that comes with an approval.",
    )
    approvers: Approvers = Field(description="People who may answer.")
    timeout: Duration | None = Field(
        default=None, description="Maximum time to wait for an answer. Default: no limit."
    )
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None,
        description="Result when the timeout passes without an answer: Deny (default, handled by "
        "onDenied) or Fail. It is never an approval.",
    )
    on_denied: Literal["Fail", "Continue"] | None = Field(
        default=None,
        description="Fail (default): a denial fails the node. Continue: the node succeeds and its "
        "output has decision: Denied, which other nodes can test.",
    )


class WaitKind(Model):
    """Wait without a pod: for a duration or until a time."""

    duration: Duration | None = Field(default=None, description="Duration of the wait.")
    until: Template | None = Field(
        default=None,
        description="RFC 3339 time at which the wait ends. ${...} is evaluated, for example "
        '"${inputs.notBefore}".',
    )
