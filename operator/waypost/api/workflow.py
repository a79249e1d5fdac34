"""AgentWorkflow: one run of a graph of nodes. The single source of its CRD.

Descriptions are user documentation: they are what `kubectl explain` prints.
"""

from typing import Annotated, Final, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints

from waypost.api.agent import AgentDefaults, AgentKind, Budget, Effect
from waypost.api.base import (
    ATOMIC,
    INPUT_KEY_PATTERN,
    UNIQUE_ITEMS,
    Duration,
    JsonObject,
    JsonValue,
    Model,
    NodeName,
    keyed_by,
)
from waypost.api.http import HttpKind
from waypost.api.kinds import ApprovalKind, ContainerKind, PythonKind, WaitKind
from waypost.api.rerun import Rerun

MAX_NODES = 200
POD_KINDS: Final = ("python", "container", "agent", "http")  # an attempt of these is a pod
KINDS: Final = (*POD_KINDS, "approval", "wait")

InputKey = Annotated[str, StringConstraints(pattern=INPUT_KEY_PATTERN, max_length=63)]
ModuleSource = Annotated[str, StringConstraints(min_length=1, max_length=65536)]


class Backoff(Model):
    """How long to wait before the next attempt: initial * factor^(n-1), at most max."""

    initial: Duration | None = Field(
        default=None, description="Wait before the second attempt. Default 1s."
    )
    factor: int | None = Field(
        default=None, ge=1, le=10, description="Multiplier for each further wait. Default 2."
    )
    max: Duration | None = Field(default=None, description="Upper bound of a wait. Default 5m.")


# Failures of the node's own work. What the cluster does has counters and limits of its own.
RetriedReason = Literal[
    "NodeError",
    "OutputInvalid",
    "OutputTooLarge",
    "Timeout",
    "OutOfMemory",
    "OutOfDisk",
    "ResultLost",
    "ProviderError",
    "RateLimited",
    "Refused",
]


class Retry(Model):
    """Extra attempts after a failure of the node's own work."""

    limit: int | None = Field(
        default=None,
        ge=0,
        le=20,
        description="Extra attempts after a failure: 2 means at most 3 attempts. Default 0. "
        "Disruptions by the cluster (evictions, lost machines), pods that do not start, and "
        "providers that ask to wait are counted apart and do not use these up.",
    )
    reasons: list[RetriedReason] | None = Field(
        default=None,
        min_length=1,
        max_length=len(get_args(RetriedReason)),
        description="Failures that are worth an extra attempt; after any other the node fails at "
        "once. Default all of them. Merged from defaults as a whole.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    backoff: Backoff | None = Field(default=None, description="Waits between attempts.")
    never: bool | None = Field(
        default=None,
        description="Same as effect: once. Never start a second attempt once the program may "
        "have started. Cannot stand together with limit or reasons.",
    )


class Isolation(Model):
    """What the node's pod may reach."""

    service_account_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="ServiceAccount of the pod, for example to pull private images. Its API "
        "token is never mounted. Default: the namespace's default ServiceAccount.",
    )


class Node(Model):
    """One step of the graph. Exactly one of python, container, agent, http, approval, wait."""

    model_config = ConfigDict(json_schema_extra=ATOMIC)

    name: NodeName = Field(
        description="Identifies the node in expressions, so it is lower case with _ and not -: "
        "nodes.<name>.output."
    )
    python: PythonKind | None = Field(default=None, description=PythonKind.__doc__)
    container: ContainerKind | None = Field(default=None, description=ContainerKind.__doc__)
    agent: AgentKind | None = Field(default=None, description=AgentKind.__doc__)
    http: HttpKind | None = Field(default=None, description=HttpKind.__doc__)
    approval: ApprovalKind | None = Field(default=None, description=ApprovalKind.__doc__)
    wait: WaitKind | None = Field(default=None, description=WaitKind.__doc__)
    inputs: dict[InputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="Inputs by name; ${...} is evaluated, and a reference to nodes.x.output makes "
        "this node wait for x.",
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) the inputs must meet before anything starts.",
    )
    output_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) the output must meet to be recorded.",
    )
    when: Annotated[str, StringConstraints(max_length=2056)] | None = Field(
        default=None,
        description='A condition, e.g. "${nodes.triage.output.urgent}". Exactly true: the node '
        "runs. Exactly false: it is Skipped. Anything else fails it.",
    )
    depends_on: list[NodeName] | None = Field(
        default=None,
        max_length=32,
        description="Nodes that must have succeeded first, beside those that are referred to.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    after: list[NodeName] | None = Field(
        default=None,
        max_length=32,
        description="Nodes that must have ended first, however they ended.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    on_failure: Literal["Fail", "Continue", "Pause"] | None = Field(
        default=None,
        description="Fail (default): a failure of this node fails the run. Continue: the rest of "
        "the graph goes on. Pause: what waits for this node waits for a person, everything else "
        "goes on, and the run does not end; its condition Stalled has the command.",
    )
    fallback_output: JsonValue | None = Field(
        default=None,
        description="With onFailure: Continue, the output that dependants see when the node "
        "failed. Must meet outputSchema. ${...} is not evaluated here.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="Longest time of one attempt, from the start of its container. Only for nodes "
        "with a pod: python, container, agent, http. Default 10m.",
    )
    queue_timeout: Duration | None = Field(
        default=None,
        description="Longest time from the launch of an attempt to the start of its container: "
        "scheduling, quota, image pull, a ModelProvider, ToolServer or Secret that is not there. "
        "Only for nodes with a pod. Default 10m.",
    )
    deadline: Duration | None = Field(
        default=None,
        description="Longest time of the node in all: every attempt, the waits between them and "
        "all queueing, from when what it waits for has ended. When it passes, the attempt under "
        "way is stopped, and the node fails with DeadlineExceeded. Only for nodes with a pod. "
        "Default none.",
    )
    retry: Retry | None = Field(
        default=None, description="Extra attempts. Only for nodes with a pod."
    )
    effect: Effect | None = Field(
        default=None,
        description="What running twice would do. none or idempotent: harmless. once: no second "
        "attempt once the program may have started, whatever happened. Default idempotent; for "
        "http nodes none with GET and HEAD, once with POST and PATCH.",
    )
    isolation: Isolation | None = Field(default=None, description=Isolation.__doc__)


class Defaults(Model):
    """Defaults for the nodes of this run that have a pod."""

    timeout: Duration | None = Field(default=None, description="Default of node timeout.")
    queue_timeout: Duration | None = Field(
        default=None, description="Default of node queueTimeout."
    )
    retry: Retry | None = Field(
        default=None, description="Default of node retry, merged field by field."
    )
    agent: AgentDefaults | None = Field(default=None, description=AgentDefaults.__doc__)


class AgentWorkflowSpec(Model):
    """What to run. Once accepted, only suspend, cancel and ttlSecondsAfterFinished may change, and
    all the rest in an update that raises rerun.round."""

    inputs: JsonObject | None = Field(
        default=None,
        max_length=100,
        description="The run's inputs. Data: ${...} is never evaluated here.",
    )
    input_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) of inputs; defaults in it are applied."
    )
    schemas: dict[InputKey, JsonObject] | None = Field(
        default=None,
        max_length=64,
        description="JSON Schemas (2020-12) by name, for use in every schema of this run: {$ref: "
        '"#/schemas/<name>"}.',
    )
    modules: dict[InputKey, ModuleSource] | None = Field(
        default=None,
        max_length=16,
        description="Python modules by name, which python nodes and tools can import. ${...} is "
        "not evaluated here.",
    )
    nodes: list[Node] = Field(
        min_length=1,
        max_length=MAX_NODES,
        description="The graph: 1 to 200 nodes.",
        json_schema_extra=keyed_by("name"),
    )
    outputs: dict[InputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="What the run gives: evaluated once at its end and put into status.outputs.",
    )
    output_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) that the outputs must meet."
    )
    defaults: Defaults | None = Field(default=None, description=Defaults.__doc__)
    budget: Budget | None = Field(default=None, description=Budget.__doc__)
    parallelism: int | None = Field(
        default=None,
        ge=1,
        le=MAX_NODES,
        description="How many nodes may have a pod at the same time. Default 20.",
    )
    deadline: Duration | None = Field(
        default=None,
        description="Longest time of the run in all, approvals, waits and suspension included. "
        "When it passes, everything is stopped as by cancel, and the run fails with "
        "DeadlineExceeded. Default none.",
    )
    suspend: bool | None = Field(
        default=None,
        description="true: start nothing new. Running attempts finish and are recorded; waits and "
        "approvals go on.",
    )
    cancel: bool | None = Field(
        default=None,
        description="true: stop everything, for good. Results that are in stay recorded.",
    )
    rerun: Rerun | None = Field(default=None, description=Rerun.__doc__)
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=315360000,
        description="Delete the run this many seconds after it has finished. Absent: keep it. Not "
        "honoured on objects that Argo CD or Flux track: Git would create and run them again.",
    )
