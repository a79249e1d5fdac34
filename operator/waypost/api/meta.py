"""Names that are used on objects: group, labels, annotations, finalizer, conditions, reasons.

Anything another program may match on lives here once, so that a rename is one line and a review.
"""

from typing import Final, NamedTuple

GROUP: Final = "waypost.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "waypost"


class ResourceName(NamedTuple):
    """The names of a kind in the API."""

    api_version: str
    plural: str
    kind: str


AGENT_WORKFLOW: Final = ResourceName(API_VERSION, "agentworkflows", "AgentWorkflow")
AGENT_WORKFLOW_TEMPLATE: Final = ResourceName(
    API_VERSION, "agentworkflowtemplates", "AgentWorkflowTemplate"
)
AGENT_WORKFLOW_SCHEDULE: Final = ResourceName(
    API_VERSION, "agentworkflowschedules", "AgentWorkflowSchedule"
)
WORKFLOW_EVENT: Final = ResourceName(API_VERSION, "workflowevents", "WorkflowEvent")
EVENT_SOURCE: Final = ResourceName(API_VERSION, "eventsources", "EventSource")
MEMORY_ENTRY: Final = ResourceName(API_VERSION, "memoryentries", "MemoryEntry")
APPROVAL: Final = ResourceName(API_VERSION, "approvals", "Approval")
NODE_RECORD: Final = ResourceName(API_VERSION, "noderecords", "NodeRecord")
MODEL_PROVIDER: Final = ResourceName(API_VERSION, "modelproviders", "ModelProvider")
TOOL_SERVER: Final = ResourceName(API_VERSION, "toolservers", "ToolServer")

# A label value has at most 63 characters, so labels identify the run by uid; annotations have
# the full names.
LABEL_RUN: Final = f"{GROUP}/run"  # uid of the AgentWorkflow
LABEL_NODE: Final = f"{GROUP}/node"  # node path, "/" as "."
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"  # attempt number, decimal
LABEL_ROUND: Final = f"{GROUP}/round"
LABEL_PARENT: Final = f"{GROUP}/parent"  # on a child run: uid of its parent
LABEL_EGRESS: Final = f"{GROUP}/egress"  # on pods, Jobs and NetworkPolicies: which egress
LABEL_QUEUE: Final = "kueue.x-k8s.io/queue-name"  # on Jobs: the LocalQueue that admits them
LABEL_ROOT: Final = f"{GROUP}/root"  # on a child run: uid of the run at the top of the tree
LABEL_ARTIFACT: Final = f"{GROUP}/artifact"  # on a NodeRecord of type Artifact: its name

ANNOTATION_RUN_NAME: Final = f"{GROUP}/run-name"
ANNOTATION_PATH: Final = f"{GROUP}/path"
# On an Approval: the admission policy that was in force when the question was asked.
ANNOTATION_GUARD: Final = f"{GROUP}/guard"
ANNOTATION_REQUEST: Final = f"{GROUP}/request"  # the request document, if it is small
ANNOTATION_INPUT_PREFIX: Final = f"input.{GROUP}/"  # one per input key, container nodes
ANNOTATION_ARTIFACTS: Final = f"{GROUP}/artifacts"  # on pods: which artifacts it may read and store
ANNOTATION_SHARE: Final = f"{GROUP}/share"  # on pods: tokens of the budget that the attempt may use
ANNOTATION_HTTP: Final = f"{GROUP}/http"  # on pods of http nodes: what the model gateway sends
ANNOTATION_TRUST: Final = f"{GROUP}/trust"  # on pods: CA and names of both gateways, for TLS
ANNOTATION_QUEUE: Final = f"{GROUP}/queue"  # on pods: the LocalQueue that admitted their Job
ANNOTATION_LOGS: Final = f"{GROUP}/logs"  # on pods: what the run says about keeping its log
ANNOTATION_REQUEST_DIGEST: Final = f"{GROUP}/request-digest"

LABEL_SLOTS: Final = f"{GROUP}/slots"  # on a Lease: digest of the key whose slot it is
ANNOTATION_SLOT_KEY: Final = f"{GROUP}/slot-key"  # the key itself, for people
ANNOTATION_SLOT_LIMIT: Final = f"{GROUP}/slot-limit"  # the limit under which it was taken

LABEL_SCHEDULE: Final = f"{GROUP}/schedule"  # on a run: name of the AgentWorkflowSchedule
LABEL_BACKFILL: Final = f"{GROUP}/backfill"  # on a run of a schedule: `waypost backfill` made it
ANNOTATION_KEEP_UNTIL: Final = f"{GROUP}/keep-until"  # on a run of a schedule: no TTL before

LABEL_WORKFLOW: Final = f"{GROUP}/workflow"  # on a run: what names its memory without a template

LABEL_EVENT_SOURCE: Final = f"{GROUP}/event-source"  # on a run: the EventSource that started it
ANNOTATION_EVENT: Final = f"{GROUP}/event"  # on a run: name and uid of the event that started it

LABEL_MEMORY: Final = f"{GROUP}/memory"  # on a MemoryEntry: digest of its scope and key
LABEL_MEMORY_TYPE: Final = f"{GROUP}/memory-type"  # on a MemoryEntry: its type
LABEL_SOURCE_RUN: Final = f"{GROUP}/source-run"  # on a MemoryEntry: uid of the run it comes from

LABEL_PROBE: Final = f"{GROUP}/probe"  # uid of the ModelProvider or ToolServer that is probed
# On a run or a WorkflowEvent: the span of the caller, in the format of W3C Trace Context.
ANNOTATION_TRACEPARENT: Final = f"{GROUP}/traceparent"
ANNOTATION_FORKED_FROM: Final = f"{GROUP}/forked-from"  # on a run: name and uid of another one
ANNOTATION_PROBE: Final = f"{GROUP}/probe-request"  # the request of a probe
ANNOTATION_PROBE_AT: Final = f"{GROUP}/probe-at"  # on a resource: a new value requests a probe

SANDBOX_READY: Final = "PodReadyToStartContainers"  # a condition of pods

FINALIZER_RESULT: Final = f"{GROUP}/result"  # on pods: the result is not yet in status
FINALIZER_CHILD: Final = f"{GROUP}/child"  # on child runs: their end is not yet in the parent

FIELD_MANAGER: Final = "waypost-operator"
NODE_CONTAINER: Final = "node"  # the container of a pod that does the node's work


class ConditionReason:
    """Reasons of conditions, other than the reasons of nodes (`protocol.reasons.Reason`)."""

    ACCEPTED: Final = "Accepted"
    INVALID_SPEC: Final = "InvalidSpec"
    # of a run that is not accepted yet, other than MissingReference and RecordRejected
    TEMPLATE_SUSPENDED: Final = "TemplateSuspended"
    NEW_RUNS_SUSPENDED: Final = "NewRunsSuspended"
    RUN_LIMIT: Final = "RunLimit"
    # of an accepted run whose definition cannot be read
    DEFINITION_LOST: Final = "DefinitionLost"
    DEFINITION_UNREAD: Final = "DefinitionUnread"
    RUNNING: Final = "Running"
    PAUSED: Final = "Paused"
    COMPLETED: Final = "Completed"
    COMPLETED_WITH_FAILURES: Final = "CompletedWithFailures"
    CANCELLED: Final = "Cancelled"
    COMPENSATING: Final = "Compensating"  # compensations run
    COMPENSATION_FAILED: Final = "CompensationFailed"
    COMPENSATION_SKIPPED: Final = "CompensationSkipped"
    NOTHING_TO_COMPENSATE: Final = "NothingToCompensate"
    FINALIZING: Final = "Finalizing"  # the nodes in finally run
    FINALLY_FAILED: Final = "FinallyFailed"
    FINALLY_SKIPPED: Final = "FinallySkipped"
    NODE_FAILED: Final = "NodeFailed"  # of a failed node without a reason
    AWAITING_APPROVAL: Final = "AwaitingApproval"
    NOTHING_TO_APPROVE: Final = "NothingToApprove"
    # of the condition Archived
    ARCHIVED: Final = "Archived"
    NOT_FINISHED: Final = "NotFinished"
    # of an Approval
    ANSWER_VALID: Final = "AnswerValid"
    ANSWER_INVALID: Final = "AnswerInvalid"
    TOO_LATE: Final = "TooLate"
    IDENTITY_DECLARED: Final = "Declared"
    IDENTITY_ABSENT: Final = "Absent"
    IDENTITY_VERIFIED: Final = "Verified"
    EXPIRED: Final = "Expired"
    # of a ModelProvider or a ToolServer, other than `protocol.probe.ProbeReason`
    NO_AGENT_IMAGE: Final = "NoAgentImage"
    PROBING: Final = "Probing"
    MISSING_SECRET: Final = "MissingSecret"
    MISSING_CONFIG_MAP: Final = "MissingConfigMap"
    # of an AgentWorkflowSchedule, other than MissingReference
    NOT_BLOCKED: Final = "NotBlocked"
    RUN_IN_PROGRESS: Final = "RunInProgress"
    TEMPLATE_NOT_ACCEPTED: Final = "TemplateNotAccepted"
    CREATE_REFUSED: Final = "CreateRefused"
    NAME_TAKEN: Final = "NameTaken"
    CLOCK_SET_BACK: Final = "ClockSetBack"
    CLOCK_STEADY: Final = "ClockSteady"
    # of the conditions on the memory of a run
    MEMORY_TOO_LARGE: Final = "MemoryTooLarge"
    TYPE_CHANGED: Final = "TypeChanged"
    MEMORY_FULL: Final = "MemoryFull"
    MEMORY_WRITTEN: Final = "MemoryWritten"


class EventReason:
    """Reasons of the Events on a run, other than the reasons of nodes."""

    INVALID_SPEC: Final = "InvalidSpec"
    NOT_ACCEPTED_YET: Final = "NotAcceptedYet"
    DEFINITION_LOST: Final = "DefinitionLost"
    ROUND_BEGUN: Final = "RoundBegun"
    RUN_PAUSED: Final = "RunPaused"
    COMPENSATION_BEGUN: Final = "CompensationBegun"
    FINALLY_BEGUN: Final = "FinallyBegun"
    RUN_SUCCEEDED: Final = "RunSucceeded"
    RUN_FAILED: Final = "RunFailed"
    RUN_CANCELLED: Final = "RunCancelled"
    NODE_FAILED: Final = "NodeFailed"
    NODE_ATTEMPT_FAILED: Final = "NodeAttemptFailed"
    TRACE_UNREADABLE: Final = "TraceUnreadable"
    AWAITING_APPROVAL: Final = "AwaitingApproval"
    APPROVAL_ESCALATED: Final = "ApprovalEscalated"
    # on an AgentWorkflowSchedule
    RUN_CREATED: Final = "RunCreated"
    RUN_REPLACED: Final = "RunReplaced"
    SCHEDULE_MISSED: Final = "ScheduleMissed"


class Condition:
    """Condition types of our kinds (Kubernetes API conventions, kstatus)."""

    ACCEPTED: Final = "Accepted"
    SUCCEEDED: Final = "Succeeded"
    FINISHED: Final = "Finished"
    COMPENSATION_SUCCEEDED: Final = "CompensationSucceeded"  # only if a node has compensate
    FINALLY_SUCCEEDED: Final = "FinallySucceeded"  # only with spec.finally
    AWAITING_APPROVAL: Final = "AwaitingApproval"
    RECONCILING: Final = "Reconciling"
    STALLED: Final = "Stalled"
    ANSWER_VALID: Final = "AnswerValid"
    IDENTITY_VERIFIED: Final = "IdentityVerified"
    EXPIRED: Final = "Expired"
    SET_ASIDE: Final = "SetAside"  # the operator cannot serve the run
    ARCHIVED: Final = "Archived"  # the archive keeps this end of the run
    READY: Final = "Ready"  # of a ModelProvider or a ToolServer
    BLOCKED: Final = "Blocked"  # of a schedule: times were missed, and the next one may be too
    MEMORY_TRUNCATED: Final = "MemoryTruncated"  # of a run: older entries are not in its snapshot
    MEMORY_MISMATCH: Final = "MemoryMismatch"  # values of earlier runs have another type
    MEMORY_PENDING: Final = "MemoryPending"  # entries are not written yet: the run is not Finished
    MEMORY_REJECTED: Final = "MemoryRejected"  # entries were refused, and given up
    CLOCK_SKEW: Final = "ClockSkew"  # of a schedule: the clock of the operator was set back
