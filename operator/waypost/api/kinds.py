"""The kinds of node: what a node does. Exactly one of them stands on each node."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model, keyed_by
from waypost.api.pod import EnvVar, Image, PullPolicy, Resources, Template

FUNCTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"


class PythonKind(Model):
    """Run a Python function. Exactly one of source, function."""

    source: str | None = Field(
        default=None,
        min_length=1,
        max_length=65536,
        description="Python source that defines run(...). The node's inputs are its keyword "
        "arguments, the value it returns is the node's output. ${...} is not evaluated here. "
        "Exactly one of source, function.",
    )
    function: str | None = Field(
        default=None,
        max_length=256,
        pattern=FUNCTION_PATTERN,
        description='Function to call instead, as "module:name", of one of spec.modules or of '
        "the image.",
    )
    image: Image | None = Field(
        default=None,
        description="Image with your own dependencies, built FROM Waypost's runner image.",
    )
    image_pull_policy: PullPolicy | None = Field(
        default=None, description="As in core/v1. Default: the cluster's own rule."
    )
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=50,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    )
    resources: Resources | None = Field(default=None, description="Compute resources.")


class ContainerKind(Model):
    """Run any image. Inputs are files under /waypost/in, output is JSON in $WAYPOST_OUTPUT."""

    image: Image = Field(description="Image to run.")
    image_pull_policy: PullPolicy | None = Field(
        default=None, description="As in core/v1. Default: the cluster's own rule."
    )
    command: list[Annotated[str, StringConstraints(max_length=8192)]] | None = Field(
        default=None,
        max_length=64,
        description="Replaces the image's entrypoint. ${...} is not evaluated here.",
    )
    args: list[Template] | None = Field(
        default=None,
        max_length=64,
        description="Arguments; ${...} is evaluated. Never build a shell command from data: "
        "pass it by env or read it from /waypost/in/inputs.",
    )
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=50,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    )
    large_output: bool | None = Field(
        default=None,
        description="The output may be 4 KiB or more: a sidecar then carries it to the gateway, "
        "which takes about a second after the program has ended.",
    )
    resources: Resources | None = Field(default=None, description="Compute resources.")


class Approvers(Model):
    """Who is asked. At least one user or group."""

    users: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
        default=None,
        max_length=50,
        description="User names as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    groups: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
        default=None,
        max_length=50,
        description="Groups as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    required: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="How many different people must approve. Default 1. With more than 1, "
        "each of them adds an entry to spec.votes of the Approval.",
    )


class ApprovalKind(Model):
    """Wait for a human. An Approval object is created; no pod runs meanwhile."""

    message: Template = Field(
        min_length=1, description="The question, for a human; ${...} is evaluated."
    )
    context: JsonObject | None = Field(
        default=None,
        max_length=50,
        description="What the approver should see beside the question; ${...} is evaluated.",
    )
    answer_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema of a typed answer that comes with an approval.",
    )
    approvers: Approvers = Field(description="Who is asked.")
    timeout: Duration | None = Field(
        default=None, description="How long to wait. Absent: for ever."
    )
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None,
        description="What silence means: Deny (default, handled by onDenied) or Fail. "
        "It never means yes.",
    )
    on_denied: Literal["Fail", "Continue"] | None = Field(
        default=None,
        description="Fail (default): a denial fails the node. Continue: the node succeeds and "
        "its output says decision: Denied, so the graph can branch on it.",
    )


class WaitKind(Model):
    """Wait without a pod: for a duration, or until a time."""

    duration: Duration | None = Field(default=None, description="How long to wait.")
    until: Template | None = Field(
        default=None,
        description='RFC 3339 time to wait for; ${...} is evaluated, e.g. "${inputs.notBefore}".',
    )
