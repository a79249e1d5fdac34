"""Local templates: parts of a workflow that its `workflow` nodes run as child runs."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints

from waypost.api.base import ATOMIC, INPUT_KEY_PATTERN, Duration, JsonObject, JsonValue, Model

MAX_LOCAL_TEMPLATES: Final = 10
MAX_LOCAL_NODES: Final = 50
MAX_LOCAL_FINALLY: Final = 10
LOCAL_NAME_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
# Fields of the run or template around it that apply to a local template too.
SHARED: Final = ("schemas", "modules", "defaults")

LocalName = Annotated[str, StringConstraints(pattern=LOCAL_NAME_PATTERN, max_length=40)]
_OutputKey = Annotated[str, StringConstraints(pattern=INPUT_KEY_PATTERN, max_length=63)]
# Without the schema of a node: a third copy of it would make the CRD too large for kubectl apply.
# The operator and `waypost lint` check each one by that schema.
_AnyNode = Annotated[JsonObject, Field(json_schema_extra=ATOMIC)]


class LocalTemplate(Model):
    """A part of this workflow that workflow nodes run as a child run. schemas, modules and defaults
    of this object apply to it too."""

    model_config = ConfigDict(json_schema_extra=ATOMIC)

    name: LocalName = Field(
        description="Name of the local template, for workflow.template of a node. Use lower case "
        "letters, digits and hyphens."
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) for the inputs of the node that calls it. Its defaults "
        "are applied.",
    )
    nodes: list[_AnyNode] = Field(
        min_length=1,
        max_length=MAX_LOCAL_NODES,
        description="Nodes of the child run, 1 to 50, with the fields of spec.nodes (kubectl "
        "explain agentworkflow.spec.nodes). The operator checks them when it accepts the run, and "
        "waypost lint before.",
    )
    finally_: list[_AnyNode] | None = Field(
        default=None,
        alias="finally",
        max_length=MAX_LOCAL_FINALLY,
        description="Nodes that clean up at the end of the child run, with the fields of "
        "spec.finally.",
    )
    finally_deadline: Duration | None = Field(
        default=None, description="Maximum duration of finally. Default 10m."
    )
    outputs: dict[_OutputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="Outputs of the child run. They are the output of the node that calls it.",
    )
    output_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) for outputs."
    )
    parallelism: int | None = Field(
        default=None,
        ge=1,
        le=MAX_LOCAL_NODES,
        description="Maximum number of nodes of the child run that have a pod at the same time. "
        "Default 20.",
    )
