"""The agent kind: a model loop with tools, typed output and limits, in a pod of its own."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Model, keyed_by
from waypost.api.pod import EnvVar, Image, PullPolicy, Resources, Template
from waypost.api.provider import ModelSettings, Money

Effect = Literal["none", "idempotent", "once"]
ToolName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
FunctionName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)
]
PYTHON_PATH_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class ModelRef(Model):
    """Which model answers."""

    provider: str = Field(
        min_length=1,
        max_length=253,
        description="Name of a ModelProvider in the run's namespace.",
    )
    name: str = Field(
        min_length=1, max_length=200, description="Name of the model, as the provider knows it."
    )


class Tools(Model):
    """Tools of one source: a ToolServer, or functions of a Python module. Exactly one of
    server, module."""

    server: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Name of a ToolServer in the run's namespace.",
    )
    allow: list[ToolName] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Tools of the server that this node may call; no other is offered to the "
        "model, and a call of another is refused. Required with server.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    effects: dict[ToolName, Effect] | None = Field(
        default=None,
        max_length=64,
        description="What calling a tool twice would do, by tool. It decides whether a call that "
        "was cut short may be made again. Default: what the server says of the tool, once if it "
        "says nothing; idempotent for functions.",
    )
    module: str | None = Field(
        default=None,
        max_length=200,
        pattern=PYTHON_PATH_PATTERN,
        description="Python module: one of spec.modules, or one of the node's image.",
    )
    functions: list[FunctionName] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Functions of the module that the model may call. Their signatures and "
        "docstrings are what the model sees. Required with module.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    max_result_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=4 * 1024 * 1024,
        description="Maximum size of a result of these tools that the model is given at once. "
        "Default: that of the ToolServer, else 65536.",
    )


class AgentLimits(Model):
    """What one conversation may use up, over all attempts that go on with it. Beyond it the node
    fails with BudgetExceeded."""

    requests: int | None = Field(
        default=None, ge=1, le=1000, description="Model calls. Default 50."
    )
    tool_calls: int | None = Field(
        default=None, ge=0, le=10000, description="Tool calls. Default: as many as it takes."
    )
    tokens: int | None = Field(
        default=None, ge=1, le=2**53 - 1, description="Input and output tokens together."
    )
    cost_usd: Money | None = Field(
        default=None,
        alias="costUSD",
        description='US dollars, as text: "0.50". Needs prices in the ModelProvider.',
    )


class AgentDefaults(Model):
    """Defaults for the agent nodes of this run, merged field by field."""

    model: ModelRef | None = Field(default=None, description="Default of agent.model.")
    instructions: Template | None = Field(
        default=None, description="Default of agent.instructions. ${...} is not evaluated here."
    )
    settings: ModelSettings | None = Field(default=None, description="Default of agent.settings.")
    limits: AgentLimits | None = Field(default=None, description="Default of agent.limits.")
    reasks: int | None = Field(default=None, ge=0, le=10, description="Default of agent.reasks.")


class AgentKind(Model):
    """Let a model work with tools until it gives an output that meets outputSchema."""

    model: ModelRef | None = Field(
        default=None, description="Which model answers. Default: defaults.agent.model."
    )
    instructions: Template | None = Field(
        default=None,
        description="What the model is and how it works (the system prompt); ${...} is evaluated.",
    )
    prompt: Template = Field(
        min_length=1, description="The task; ${...} is evaluated, e.g. ${self.inputs.events}."
    )
    tools: list[Tools] | None = Field(
        default=None, max_length=16, description="Tools that the model may call."
    )
    settings: ModelSettings | None = Field(
        default=None, description="Settings of the model, over those of the ModelProvider."
    )
    limits: AgentLimits | None = Field(default=None, description=AgentLimits.__doc__)
    reasks: int | None = Field(
        default=None,
        ge=0,
        le=10,
        description="How often the model is asked again when its output does not meet "
        "outputSchema, with the reason. Default 2.",
    )
    image: Image | None = Field(
        default=None,
        description="Image with your own tools and dependencies, built FROM Waypost's agent image.",
    )
    image_pull_policy: PullPolicy | None = Field(
        default=None, description="As in core/v1. Default: the cluster's own rule."
    )
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=50,
        description="Environment variables, seen by tools that run in the pod.",
        json_schema_extra=keyed_by("name"),
    )
    resources: Resources | None = Field(default=None, description="Compute resources.")


class Budget(Model):
    """What the whole run may use up. No attempt starts beyond it."""

    tokens: int | None = Field(
        default=None, ge=1, le=2**53 - 1, description="Input and output tokens together."
    )
    cost_usd: Money | None = Field(
        default=None, alias="costUSD", description='US dollars, as text: "2.50".'
    )
    tool_calls: int | None = Field(default=None, ge=1, le=2**53 - 1, description="Tool calls.")
