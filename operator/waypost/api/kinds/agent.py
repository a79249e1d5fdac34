"""The agent kind: a model loop with tools, typed output and limits, in a separate pod."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, Effect, Model
from waypost.api.kinds.approval import Approvers
from waypost.api.kinds.kind import NodeKind
from waypost.api.memory.model import Inject
from waypost.api.nodes.artifacts import MOST, Attachment
from waypost.api.pod import ContainerResources, Env, Image, ImagePullPolicy, Template
from waypost.api.provider import ModelSettings, Money

ToolName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
FunctionName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)
]
MAX_MODELS: Final = 8
ALL_TOOLS: Final = "*"
PYTHON_PATH_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class ModelRef(Model):
    """Reference to a model."""

    provider: str = Field(
        min_length=1,
        max_length=253,
        description="Name of a ModelProvider in the run's namespace.",
    )
    name: str = Field(
        min_length=1, max_length=200, description="Name of the model at the provider."
    )


class Tools(Model):
    """Tools from one source: a ToolServer or functions of a Python module. Exactly one of server
    and module."""

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
        description="Tools of the server that this node may call; others are refused. Required "
        "with server.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    effects: dict[ToolName, Effect] | None = Field(
        default=None,
        max_length=64,
        description="Effect of calling a tool twice, by tool name: whether an interrupted call is "
        "repeated. Default: the annotations of the server, else once; idempotent for functions.",
    )
    module: str | None = Field(
        default=None,
        max_length=200,
        pattern=PYTHON_PATH_PATTERN,
        description="Python module: one of spec.modules or of the node's image.",
    )
    functions: list[FunctionName] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Functions of the module that the model may call. The model sees their "
        "signatures and docstrings. Required with module.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    max_result_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=4 * 1024 * 1024,
        description="Maximum size of a result of these tools that the model is given at once. "
        "Default: that of the ToolServer, else 65536.",
    )
    require_approval: list[ToolName] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Tools whose calls a person must approve. ['*']: all of this entry. Requires "
        "toolApproval.",
        json_schema_extra=UNIQUE_ITEMS,
    )

    @property
    def names(self) -> list[str]:
        """The tools that the node may call."""
        return list((self.functions if self.module else self.allow) or [])

    @property
    def gated(self) -> list[str]:
        """The tools whose calls a person approves."""
        listed = self.require_approval or []
        return self.names if listed == [ALL_TOOLS] else list(listed)


class ToolApproval(Model):
    """People who approve the calls of tools in requireApproval."""

    approvers: Approvers = Field(description="People who may answer.")
    timeout: Duration | None = Field(
        default=None, description="Maximum time to wait for an answer. Default: no limit."
    )
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None,
        description="Without an answer in time: Deny (default, the call is not made) or Fail.",
    )


class AgentMemory(Model):
    """What the model is given of memory."""

    inject: Inject | None = Field(
        default=None, description="Notes after the instructions. Default Both."
    )
    tools: list[Literal["recall"]] | None = Field(
        default=None, max_length=1, description="recall: a tool that searches the notes."
    )


class AgentLimits(Model):
    """Limits of one conversation, over all attempts that continue it. When one is exceeded, the
    node fails with BudgetExceeded."""

    requests: int | None = Field(
        default=None, ge=1, le=1000, description="Maximum number of model calls. Default 50."
    )
    tool_calls: int | None = Field(
        default=None, ge=0, le=10000, description="Maximum number of tool calls. Default: no limit."
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        le=2**53 - 1,
        description="Maximum number of input and output tokens together.",
    )
    cost_usd: Money | None = Field(
        default=None,
        alias="costUSD",
        description='Maximum cost in US dollars, as text: "0.50". Requires prices in the '
        "ModelProvider.",
    )


class AgentDefaults(Model):
    """Defaults for the agent nodes of this run, merged field by field."""

    model: ModelRef | None = Field(default=None, description="Default for agent.model.")
    models: list[ModelRef] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_MODELS,
        description="Default for agent.models. It is not used by nodes that set agent.model.",
    )
    instructions: Template | None = Field(
        default=None, description="Default for agent.instructions. ${...} is not evaluated here."
    )
    settings: ModelSettings | None = Field(default=None, description="Default for agent.settings.")
    limits: AgentLimits | None = Field(default=None, description="Default for agent.limits.")
    reasks: int | None = Field(default=None, ge=0, le=10, description="Default for agent.reasks.")


class AgentKind(Model):
    """Run a model with tools until it returns an output that matches outputSchema."""

    model: ModelRef | None = Field(
        default=None,
        description="Model to call. Default: defaults.agent.model. Do not set it with models.",
    )
    models: list[ModelRef] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_MODELS,
        description="Models to call, in this order: the next one is used when one fails with "
        "ProviderError or RateLimited. Default: defaults.agent.models. Do not set it with model.",
    )
    instructions: Template | None = Field(
        default=None,
        description="System prompt: the role of the model and how it works. ${...} is evaluated.",
    )
    prompt: Template = Field(
        min_length=1,
        description="Task for the model. ${...} is evaluated, for example ${self.inputs.events}.",
    )
    attachments: list[Attachment] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST,
        description="Artifacts whose files (pictures, sound, PDF) are sent with the prompt.",
    )
    tools: list[Tools] | None = Field(
        default=None, max_length=16, description="Tools that the model may call."
    )
    tool_approval: ToolApproval | None = Field(default=None, description=ToolApproval.__doc__)
    memory: AgentMemory | None = Field(default=None, description=AgentMemory.__doc__)
    settings: ModelSettings | None = Field(
        default=None, description="Settings of the model. They override those of the ModelProvider."
    )
    limits: AgentLimits | None = Field(default=None, description=AgentLimits.__doc__)
    reasks: int | None = Field(
        default=None,
        ge=0,
        le=10,
        description="How often the model is asked again when its output does not match "
        "outputSchema. Default 2.",
    )
    image: Image | None = Field(
        default=None,
        description="Image with your own tools and dependencies, built FROM Waypost's agent image.",
    )
    image_pull_policy: ImagePullPolicy = None
    env: Env = Field(
        default=None, description="Environment variables for tools that run in the pod."
    )
    resources: ContainerResources = None


def models_of(agent: AgentKind, defaults: AgentDefaults | None) -> list[ModelRef]:
    """The models of an agent node in the order in which they are tried; empty where neither the
    node nor the defaults of its run name one."""
    for part in (agent, defaults):
        if part is not None and (part.model or part.models):
            return [part.model] if part.model else list(part.models or [])
    return []


class Budget(Model):
    """Limits of the whole run. No attempt starts once one of them is used up."""

    tokens: int | None = Field(
        default=None,
        ge=1,
        le=2**53 - 1,
        description="Maximum number of input and output tokens together.",
    )
    cost_usd: Money | None = Field(
        default=None, alias="costUSD", description='Maximum cost in US dollars, as text: "2.50".'
    )
    tool_calls: int | None = Field(
        default=None, ge=1, le=2**53 - 1, description="Maximum number of tool calls."
    )


KIND: Final = NodeKind("agent", AgentKind, has_journal=True)
