"""Documents beside the run: rerun, approvals, differences, cost, graph, logs, inputs and output."""

from pydantic import Field

from waypost.api.base import JsonObject, JsonValue, Model
from waypost.api.state.usage import Usage
from waypost.views.models import VERSION, AttemptView, ModelView, RunRow, RunView, View


class RoundNode(Model):
    """What a new round does with a node. `action`: keep (its result or its attempt in progress, or
    the output that a person gives), run, or skip. `stops` is the Job or node that is stopped."""

    path: str
    kind: str
    action: str
    phase: str
    disposition: str | None = None
    message: str | None = None
    effect: str
    stops: str | None = None


class RoundCost(Model):
    """What the nodes that run used when they last ran: no promise. `unknown` has those that can
    call models and never reported a usage."""

    model_calls: int = 0
    total_tokens: int = 0
    cost_usd: str | None = Field(default=None, alias="costUSD")
    estimated: bool | None = None
    unknown: list[str] = Field(default_factory=list)


class RoundMemory(View):
    """What a run has read of its memory: the number of Episodes and Facts. `refresh`: the round
    reads it again, and may find something else; without it, the round reads the same."""

    scope: str
    key: str
    episodes: int
    facts: int
    refresh: bool


class RerunPreview(View):
    """What a new round would do. With `problems` it would be rejected, and has no nodes.
    `afterCleanup`: it begins after compensations and finally, so their ends may change it.
    `memory`: only of a run that has read its memory."""

    v: int = VERSION
    name: str
    namespace: str
    round: int
    after_cleanup: bool | None = None
    memory: RoundMemory | None = None
    problems: list[str] = Field(default_factory=list)
    nodes: list[RoundNode] = Field(default_factory=list)
    cost: RoundCost


class ForkPreview(View):
    """What a new run takes over from a run. `nodes`: keep (with the output of the old run, or one
    that a person gives), run, or skip. With `problems` the new run is not made."""

    v: int = VERSION
    name: str
    namespace: str
    problems: list[str] = Field(default_factory=list)
    nodes: list[RoundNode] = Field(default_factory=list)
    cost: RoundCost


class ApprovalRow(View):
    """One line of the list of Approvals. `message` is cut to 200 characters."""

    name: str
    namespace: str
    run: str
    path: str
    state: str
    message: str
    approvers: list[str] = Field(default_factory=list)
    votes: str | None = None
    level: int | None = None  # of escalation, from 1
    created_at: str | None = None
    expires_at: str | None = None
    decided_by: str | None = None
    identity_verified: bool | None = None  # whether the API server has checked decided_by


class NextNode(Model):
    """A node that can run once a question is answered."""

    path: str
    kind: str
    effect: str
    destination: str | None = None  # of an http node: the method and address as the spec has them


class Attached(View):
    """An artifact that a question is about. `record`: its NodeRecord."""

    name: str
    digest: str
    bytes: int
    files: int
    record: str


class Question(View):
    """An Approval with all that a person needs to decide: the question, and what follows a yes."""

    v: int = VERSION
    name: str
    namespace: str
    run: str
    path: str
    subject: str = "gate"  # or toolCall: the answer replaces the arguments in the context
    state: str
    message: str
    context: JsonObject | None = None
    attachments: list[Attached] = Field(default_factory=list)
    answer_schema: JsonObject | None = None
    approvers: list[str] = Field(default_factory=list)
    requesters: list[str] = Field(default_factory=list)
    required: int = 1
    votes: str | None = None
    level: int | None = None  # of escalation, from 1: others did not answer in time
    escalated_to: str | None = None  # the Approval that asks others
    expires_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    identity_verified: bool | None = None  # whether the API server has checked decided_by
    identity_note: str | None = None  # the same in words
    reason: str | None = None
    digest: str
    then: list[NextNode] = Field(default_factory=list)
    note: str | None = None  # why `then` is not known


class Change(Model):
    """A difference between two JSON values. `before` or `after` is left out if it does not exist
    there; both are JSON text, cut to 200 characters."""

    path: str
    before: str | None = None
    after: str | None = None


class NodePair(Model):
    """A node in two runs: lists have the value of the first run, then that of the second; null
    where a run does not have the node. `output`: same, changed, or unknown."""

    path: str
    phases: list[str | None]
    reasons: list[str | None]
    attempts: list[int | None]
    seconds: list[float | None]
    costs: list[str | None]
    output: str
    differs: bool


class RunDifference(View):
    """The differences of two runs. `spec` leaves out `rerun` and the inputs, which `inputs` has;
    at most 200 changes each, `more` counts the others."""

    v: int = VERSION
    runs: list[RunRow]
    spec: list[Change] = Field(default_factory=list)
    inputs: list[Change] = Field(default_factory=list)
    outputs: list[Change] = Field(default_factory=list)
    more: int = 0
    nodes: list[NodePair] = Field(default_factory=list)


class NodeCost(Model):
    """What a node used. `retried` is the part of attempts that did not give the result."""

    path: str
    kind: str
    usage: Usage
    attempts: int
    retried: Usage | None = None


class RunCost(View):
    """What a run used, by node and by model. `models` is known as far as traces could be read;
    `left` is what remains of the budget."""

    v: int = VERSION
    name: str
    namespace: str
    phase: str
    usage: Usage | None = None
    budget: JsonObject | None = None
    left: JsonObject | None = None
    nodes: list[NodeCost] = Field(default_factory=list)
    models: list[ModelView] = Field(default_factory=list)
    unread: int = 0  # traces that could not be read


class GraphNode(Model):
    """A node of a graph, with its state in the run."""

    path: str
    kind: str
    phase: str
    stage: str | None = None
    reason: str | None = None
    total: int | None = None  # items of a map
    attempts: int = 0


class GraphEdge(Model):
    """`to` waits for `from`. `kind`: hard (needs its success), soft (needs its end), candidate."""

    from_: str = Field(alias="from")
    to: str
    kind: str


class RunGraph(View):
    """The graph of a run. `note` says why edges are missing."""

    v: int = VERSION
    name: str
    namespace: str
    phase: str
    nodes: list[GraphNode] = Field(default_factory=list)
    edges: list[GraphEdge] = Field(default_factory=list)
    note: str | None = None


class NodeLog(View):
    """The end of the log of an attempt. `source`: where it was read; `notes`: what is missing."""

    v: int = VERSION
    name: str
    namespace: str
    path: str
    attempt: int
    pod: str
    source: str
    notes: list[str] = Field(default_factory=list)
    text: str


class NodeIo(View):
    """Inputs and output of a node, with their schemas. The only document with payloads.

    `inputs` are evaluated again; `same` says whether their digest is that of the recorded ones.
    `inputsNote` and `outputNote` say why a value is missing. `violations` are those of the output.
    """

    v: int = VERSION
    name: str
    namespace: str
    path: str
    kind: str
    phase: str
    reason: str | None = None
    message: str | None = None
    inputs: JsonObject | None = None
    same: bool | None = None
    input_schema: JsonValue | None = None
    inputs_note: str | None = None
    output: JsonValue | None = None
    has_output: bool = False
    output_schema: JsonValue | None = None
    output_note: str | None = None
    violations: list[str] = Field(default_factory=list)
    tail: str | None = None


class AttemptsDifference(View):
    """How two attempts of a node differ, of one round, of two rounds or of two iterations.

    A value that is not known for both is not compared: its note says why. `more` counts changes
    that are not listed.
    """

    v: int = VERSION
    name: str
    namespace: str
    path: str
    attempts: list[AttemptView]
    inputs: list[Change] = Field(default_factory=list)
    inputs_note: str | None = None
    output: list[Change] = Field(default_factory=list)
    output_note: str | None = None
    more: int = 0


class RunManifest(View):
    """A run as YAML. `manifest` can be applied elsewhere: without status, uid, versions, and what
    programs noted about the object."""

    v: int = VERSION
    name: str
    namespace: str
    manifest: str
    status: str


class RunReport(View):
    """A run in one document, for a report that needs no server.

    `run` has the traces of its attempts. `values` has inputs and output of nodes by path, and
    `manifest` the inputs of the run: only if they were asked for. `leftOut` says what would have
    made the report too large.
    """

    v: int = VERSION
    run: RunView
    graph: RunGraph
    suspended: bool
    cancelled: bool
    with_values: bool
    values: dict[str, NodeIo]
    manifest: RunManifest | None = None
    left_out: list[str] = Field(default_factory=list)
    read_at: str
    version: str
