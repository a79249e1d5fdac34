"""AgentWorkflow: one run of a graph of nodes. The single source of its CRD.

Descriptions are user documentation: they are what `kubectl explain` prints.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, StringConstraints

from waypost.api.base import (
    ATOMIC,
    INPUT_KEY_PATTERN,
    UNIQUE_ITEMS,
    Duration,
    Effect,
    JsonObject,
    JsonValue,
    Model,
    NodeName,
    Timestamp,
    keyed_by,
)
from waypost.api.effects.compensate import Compensate
from waypost.api.effects.retry import Retry
from waypost.api.isolation.claims import VolumeClaims
from waypost.api.isolation.model import Isolation
from waypost.api.kinds.agent import AgentDefaults, AgentKind, Budget
from waypost.api.kinds.approval import ApprovalKind
from waypost.api.kinds.container import ContainerKind
from waypost.api.kinds.event import EventKind
from waypost.api.kinds.first import FirstKind
from waypost.api.kinds.http import HttpKind
from waypost.api.kinds.python import PythonKind
from waypost.api.kinds.wait import WaitKind
from waypost.api.kinds.workflow import WorkflowKind
from waypost.api.modifiers.concurrency import Concurrency, RunConcurrency
from waypost.api.modifiers.for_each import ForEach
from waypost.api.modifiers.memory import Remember, RunMemory
from waypost.api.modifiers.repeat import Iterations, Repeat
from waypost.api.nodes.artifacts import Artifacts
from waypost.api.paths import NodePath, parse_path
from waypost.api.pod import LogPolicy, Resources
from waypost.api.rerun import Rerun
from waypost.api.template.local import MAX_LOCAL_TEMPLATES, LocalTemplate
from waypost.api.template.parent import Origin, Parent, RequestedBy
from waypost.api.template.ref import TemplateRef

MAX_NODES = 200
MAX_FINALLY_NODES = 20
DEFAULT_FINALLY_DEADLINE = "10m"
NOT_IN_FINALLY = ("approval", "wait", "event", "first")  # a clean-up must not wait for anything

InputKey = Annotated[str, StringConstraints(pattern=INPUT_KEY_PATTERN, max_length=63)]
# Without the pattern of NodeName: a rule for each name in 200 lists of 200 would exceed the cost
# that the API server allows. A name of another form is refused as the name of no node.
ListedName = Annotated[str, StringConstraints(max_length=40)]
ModuleSource = Annotated[str, StringConstraints(min_length=1, max_length=65536)]


class Node(Model):
    """One step of the graph. Exactly one of python, container, agent, http, approval, wait,
    event, workflow and first."""

    model_config = ConfigDict(json_schema_extra=ATOMIC)

    name: NodeName = Field(
        description="Name of the node in expressions: nodes.<name>.output. Use lower case "
        "letters, digits and _, but not -."
    )
    python: PythonKind | None = Field(default=None, description=PythonKind.__doc__)
    container: ContainerKind | None = Field(default=None, description=ContainerKind.__doc__)
    agent: AgentKind | None = Field(default=None, description=AgentKind.__doc__)
    http: HttpKind | None = Field(default=None, description=HttpKind.__doc__)
    approval: ApprovalKind | None = Field(default=None, description=ApprovalKind.__doc__)
    wait: WaitKind | None = Field(default=None, description=WaitKind.__doc__)
    event: EventKind | None = Field(default=None, description=EventKind.__doc__)
    workflow: WorkflowKind | None = Field(default=None, description=WorkflowKind.__doc__)
    first: FirstKind | None = Field(default=None, description=FirstKind.__doc__)
    inputs: dict[InputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="Inputs by name. ${...} is evaluated; a reference to nodes.x.output makes "
        "this node wait for x.",
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) for the inputs. They are validated before anything "
        "starts.",
    )
    output_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) for the output. It is validated before the output is "
        "recorded.",
    )
    when: Annotated[str, StringConstraints(max_length=2056)] | None = Field(
        default=None,
        description='Condition, for example "${nodes.triage.output.urgent}". true: the node runs. '
        "false: the node is Skipped. Any other value fails the node.",
    )
    depends_on: list[ListedName] | None = Field(
        default=None,
        max_length=MAX_NODES,
        description="Nodes that must succeed first, in addition to those that expressions refer "
        "to.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    after: list[ListedName] | None = Field(
        default=None,
        max_length=MAX_NODES,
        description="Nodes that must end first, with any result.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    on_failure: Literal["Fail", "Continue", "Pause"] | None = Field(
        default=None,
        description="Fail (default, but Continue for a candidate of a first node): a failure of "
        "this node fails the run. Continue: the rest of "
        "the graph continues. Pause: nodes that depend on this one wait for a person, all others "
        "continue, and the run does not end; its condition Stalled shows the command to continue.",
    )
    fallback_output: JsonValue | None = Field(
        default=None,
        description="Only with onFailure: Continue. Output that dependants receive when this node "
        "fails. Must match outputSchema. ${...} is not evaluated here.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="Maximum duration of one attempt, measured from the start of its container. "
        "Only for nodes with a pod: python, container, agent, http. Default 10m.",
    )
    queue_timeout: Duration | None = Field(
        default=None,
        description="Maximum time from the launch of an attempt to the start of its container. It "
        "includes scheduling, quota, image pulls and the wait for a missing ModelProvider, "
        "ToolServer, AgentWorkflowTemplate or Secret. Only for nodes with a pod and workflow "
        "nodes. Default 10m.",
    )
    deadline: Duration | None = Field(
        default=None,
        description="Maximum duration of the node, measured from the end of its dependencies. It "
        "includes every attempt, the delays between them and all queueing. When it passes, the "
        "current attempt or child run is stopped and the node fails with DeadlineExceeded. Only "
        "for nodes with a pod and workflow nodes. Default: none.",
    )
    retry: Retry | None = Field(
        default=None, description="Extra attempts. Only for nodes with a pod."
    )
    effect: Effect | None = Field(
        default=None,
        description="Effect of running the node twice. none or idempotent: harmless. once: no "
        "second attempt starts once the program may have started. Default idempotent; for http "
        "nodes none with GET and HEAD, once with POST and PATCH.",
    )
    isolation: Isolation | None = Field(default=None, description=Isolation.__doc__)
    concurrency: Concurrency | None = Field(default=None, description=Concurrency.__doc__)
    artifacts: Artifacts | None = Field(default=None, description=Artifacts.__doc__)
    repeat: Repeat | None = Field(default=None, description=Repeat.__doc__)
    for_each: ForEach | None = Field(default=None, description=ForEach.__doc__)
    compensate: Compensate | None = Field(default=None, description=Compensate.__doc__)
    remember: Remember | None = Field(default=None, description=Remember.__doc__)

    @property
    def place(self) -> str:
        """Its field in the spec, as messages name it."""
        return f"nodes.{self.name}"


class FinallyNode(Node):
    """One step of the clean-up. Exactly one of python, container, agent, http and workflow."""

    @property
    def place(self) -> str:
        """Its field in the spec, as messages name it."""
        return f"finally.{self.name}"

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> Any:
        """Leave the refused kinds out of the CRD; the compiler says why they are refused."""
        schema = handler(core)
        target = handler.resolve_ref_schema(schema)
        for field in (*NOT_IN_FINALLY, "compensate"):
            target["properties"].pop(field, None)
        return schema


class CompensationNode(Node):
    """The compensation of a node, in the form in which the compiler checks it and the engine runs
    it. Its name is its path, such as `charge/compensate`."""

    @property
    def undoes(self) -> str:
        """The name of the node that it undoes."""
        return parse_path(self.name).node

    @property
    def place(self) -> str:
        """Its field in the spec, as messages name it."""
        return f"nodes.{self.undoes}.compensate"


def compensation_of(node: Node) -> CompensationNode | None:
    """The compensation of a node; None if it has none."""
    given = node.compensate
    if given is None:
        return None
    return CompensationNode.model_construct(
        name=str(NodePath(node.name, compensates=True)),
        python=given.python,
        container=given.container,
        http=given.http,
        workflow=given.workflow,
        inputs=given.inputs,
        timeout=given.timeout,
        retry=given.retries,
        for_each=_undoing(node),
        effect=given.effect or ("idempotent" if given.workflow is None else None),
        isolation=node.isolation if given.workflow is None else None,
    )


def _undoing(node: Node) -> ForEach | None:
    """The modifier of the compensation of a map or a loop: one item at a time, and each is tried.
    The list is made of the items that succeeded; `items` is there for the types."""
    if node.repeat is not None:
        return Iterations.newest_first()
    if node.for_each is None:
        return None
    return ForEach.model_construct(
        items=node.for_each.items, max_parallel=1, tolerate="100%", collect="None"
    )


class Defaults(Model):
    """Defaults for the nodes of this run that have a pod."""

    timeout: Duration | None = Field(default=None, description="Default for timeout of a node.")
    queue_timeout: Duration | None = Field(
        default=None, description="Default for queueTimeout of a node."
    )
    retry: Retry | None = Field(
        default=None, description="Default for retry of a node, merged field by field."
    )
    resources: Resources | None = Field(
        default=None,
        description="Default for resources of a node, merged by resource. "
        "limits.ephemeral-storage is also the size of /tmp.",
    )
    isolation: Isolation | None = Field(
        default=None,
        description="Default for isolation of a node: maps are merged by key, volumes by name; "
        "each other field of the node replaces the default.",
    )
    agent: AgentDefaults | None = Field(default=None, description=AgentDefaults.__doc__)
    logs: LogPolicy | None = Field(default=None, description=LogPolicy.__doc__)


class WorkflowBody(Model):
    """What a run or a template declares. A field that stands here is a field of both."""

    input_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) for inputs. Its defaults are applied."
    )
    schemas: dict[InputKey, JsonObject] | None = Field(
        default=None,
        max_length=64,
        description="Named JSON Schemas (2020-12). Every schema of this object can refer to them: "
        '{$ref: "#/schemas/<name>"}.',
    )
    modules: dict[InputKey, ModuleSource] | None = Field(
        default=None,
        max_length=16,
        description="Python modules by name. python nodes and tools can import them. ${...} is "
        "not evaluated here.",
    )
    templates: list[LocalTemplate] | None = Field(
        default=None,
        max_length=MAX_LOCAL_TEMPLATES,
        description="Local templates: parts of this workflow that its workflow nodes run as child "
        "runs.",
        json_schema_extra=keyed_by("name"),
    )
    nodes: list[Node] = Field(
        min_length=1,
        max_length=MAX_NODES,
        description="Nodes of the graph, 1 to 200.",
        json_schema_extra=keyed_by("name"),
    )
    finally_: list[FinallyNode] | None = Field(
        default=None,
        alias="finally",
        max_length=MAX_FINALLY_NODES,
        description="Nodes that clean up. They begin when all other nodes have ended, after a "
        "success, a failure, a cancel and the deadline. Their expressions also see run.phase, "
        "run.reason, run.message and run.failures.",
        json_schema_extra=keyed_by("name"),
    )
    finally_deadline: Duration | None = Field(
        default=None,
        description="Maximum duration of finally, measured from its beginning, and of all "
        f"compensations; deadline does not count there. Default {DEFAULT_FINALLY_DEADLINE}.",
    )
    outputs: dict[InputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="Outputs of the run. They are evaluated once, at the end of the run, and "
        "recorded in status.outputs.",
    )
    output_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) for outputs."
    )
    defaults: Defaults | None = Field(default=None, description=Defaults.__doc__)
    budget: Budget | None = Field(default=None, description=Budget.__doc__)
    parallelism: int | None = Field(
        default=None,
        ge=1,
        le=MAX_NODES,
        description="Maximum number of nodes that have a pod at the same time. Default 20.",
    )
    concurrency: RunConcurrency | None = Field(default=None, description=RunConcurrency.__doc__)
    memory: RunMemory | None = Field(default=None, description=RunMemory.__doc__)
    volume_claims: VolumeClaims = None
    deadline: Duration | None = Field(
        default=None,
        description="Maximum duration of the run, including approvals, waits and suspension. When "
        "it passes, all nodes are stopped as with cancel and the run fails with DeadlineExceeded. "
        "Default: none.",
    )


class AgentWorkflowSpec(WorkflowBody):
    """Definition of the run: nodes, or templateRef. Once it is accepted, only suspend, cancel,
    skipFinally and ttlSecondsAfterFinished can change. All other fields can change only in an
    update that raises rerun.round."""

    # Empty in a run of a template, until it is resolved. A factory, because a default of the CRD
    # would be written into each run of a template.
    nodes: list[Node] = Field(
        default_factory=list,
        min_length=1,
        max_length=MAX_NODES,
        description="Nodes of the graph, 1 to 200. Exactly one of nodes and templateRef is set.",
        json_schema_extra=keyed_by("name"),
    )
    template_ref: TemplateRef | None = Field(
        default=None,
        description="Run the definition of an AgentWorkflowTemplate of this namespace. It is read "
        "when the run is accepted; later changes of the template do not reach the run. Beside it "
        "only inputs, scheduledAt, suspend, cancel, skipFinally, rerun, deadline, budget and "
        "ttlSecondsAfterFinished are allowed.",
    )
    inputs: JsonObject | None = Field(
        default=None,
        max_length=100,
        description="Inputs of the run. They are data: ${...} is never evaluated here.",
    )
    suspend: bool | None = Field(
        default=None,
        description="true: start no new attempts. Running attempts finish and are recorded. Waits "
        "and approvals continue.",
    )
    cancel: bool | None = Field(
        default=None,
        description="true: stop all nodes permanently. Results that are recorded stay recorded. "
        "Compensations and nodes in finally still run.",
    )
    skip_finally: bool | None = Field(
        default=None,
        description="true: stop compensations and nodes in finally too, and start none of them. "
        "Only together with cancel: true. It cannot be undone.",
    )
    requested_by: RequestedBy = None
    origin: Origin | None = Field(default=None, description=Origin.__doc__)
    scheduled_at: Timestamp | None = Field(
        default=None,
        description="The time that run.scheduledAt has in expressions, for example that of a "
        "schedule or of the data that the run is about. It cannot change. Default: the time when "
        "the run was created.",
    )
    rerun: Rerun | None = Field(default=None, description=Rerun.__doc__)
    parent: Parent | None = Field(default=None, description=Parent.__doc__)
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=315360000,
        description="Delete the run this many seconds after it has finished. Default: keep it. "
        "Ignored on objects that Argo CD or Flux track, because Git would create and run them "
        "again.",
    )

    @property
    def all_nodes(self) -> list[Node]:
        """The nodes of the graph, then the compensations, then the nodes of finally."""
        return [*self.nodes, *self.compensations, *(self.finally_ or ())]

    @property
    def compensations(self) -> list[CompensationNode]:
        """The compensations of the nodes of the graph."""
        made = (compensation_of(node) for node in self.nodes if node.compensate is not None)
        return [node for node in made if node is not None]
