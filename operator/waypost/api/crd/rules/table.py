"""All validation rules of the CRDs, which the API server evaluates before the operator sees an
object.

The operator checks everything that needs the whole graph (dangling references, cycles,
expressions, size of the inputs) and reports it in the condition Accepted.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from waypost.api.base import (
    DURATION_PATTERN,
    NODE_NAME_PATTERN,
    NODE_OR_ITEM_PATTERN,
    OBJECT_NAME_PATTERN,
)
from waypost.api.crd.cel_rule import Rule, at_most_one_of, names_of
from waypost.api.crd.rules import (
    approval,
    compensations,
    durations,
    endpoints,
    event,
    memory,
    nodes,
    schedule,
    source,
    workflow,
)
from waypost.api.endpoint import URL_PATTERN
from waypost.api.template.local import LOCAL_NAME_PATTERN

_FORMS = ("data", "compressed", "object")
_FOUND = names_of(_FORMS)
_RECORD = (
    Rule(
        "self == oldSelf",
        ["a NodeRecord cannot be changed; create a new one for the new attempt"],
    ),
    Rule(
        # At most one, not exactly one: has() is false for a null, which is a payload too.
        at_most_one_of(_FORMS),
        ["the payload must be in one of data, compressed and object; found ", _FOUND],
    ),
)

# Keys: a resource, a model, or the pattern of a string.
RULES: Final[Mapping[str, Sequence[Rule]]] = {
    "AgentWorkflow": workflow.WORKFLOW,
    "AgentWorkflowSpec": workflow.SPEC,
    "AgentWorkflowTemplateSpec": workflow.BODY,
    "AgentWorkflowSchedule": schedule.SCHEDULE,
    "AgentWorkflowScheduleSpec": schedule.SPEC,
    "ScheduledSpec": schedule.RUN_SPEC,
    "WorkflowEvent": event.EVENT,
    "WorkflowEventSpec": event.SPEC,
    "WorkflowEventStatus": event.STATUS,
    "MemoryEntrySpec": memory.SPEC,
    "SourceAuth": source.AUTH,
    "SourceRule": source.RULE,
    "Node": nodes.NODE,
    "FinallyNode": nodes.FINALLY_NODE,
    "LocalTemplate": workflow.LOCAL_TEMPLATE,
    "Compensate": compensations.COMPENSATE,
    "Defaults": (durations.not_zero("timeout"), durations.not_zero("queueTimeout")),
    "Retry": nodes.RETRY,
    "ExitCodes": nodes.EXIT_CODES,
    "Repeat": (durations.not_zero("pause"),),
    "EnvVar": nodes.ENV_VAR,
    "EnvSource": nodes.ENV_SOURCE,
    "ApprovalKind": (durations.not_zero("timeout"),),
    "EventKind": (durations.not_zero("timeout"),),
    "ServerApproval": (durations.not_zero("timeout"),),
    "ToolApproval": (durations.not_zero("timeout"),),
    "Approvers": approval.APPROVERS,
    "WaitKind": nodes.WAIT,
    "WorkflowKind": nodes.WORKFLOW_KIND,
    "PythonKind": nodes.PYTHON,
    "PythonCompensation": nodes.PYTHON,
    "AgentKind": nodes.ONE_MODEL,
    "AgentDefaults": nodes.ONE_MODEL,
    "Tools": nodes.TOOLS,
    "HttpAuth": nodes.HTTP_AUTH,
    "RequestHeader": nodes.VALUE_OR_SOURCE,
    "AgentWorkflowStatus": workflow.STATUS,
    "NodeStatus": workflow.NODE_STATUS,
    "Approval": approval.APPROVAL,
    "ApprovalSpec": approval.APPROVAL_SPEC,
    "Vote": approval.VOTE,
    "NodeRecordSpec": _RECORD,
    "ModelProviderSpec": endpoints.PROVIDER,
    "ToolServerSpec": endpoints.TOOL_SERVER,
    "ToolHeader": endpoints.TOOL_HEADER,
    "QueryParameter": endpoints.QUERY_PARAMETER,
    "HttpServer": endpoints.HTTP_SERVER,
    "ValueSource": endpoints.VALUE_SOURCE,
    "TlsSource": endpoints.TLS_SOURCE,
    URL_PATTERN: endpoints.URL_TEXT,
    DURATION_PATTERN: durations.DURATION_TEXT,
    OBJECT_NAME_PATTERN: workflow.OBJECT_NAME_TEXT,
    NODE_NAME_PATTERN: nodes.NODE_NAME_TEXT,
    LOCAL_NAME_PATTERN: nodes.LOCAL_NAME_TEXT,
    NODE_OR_ITEM_PATTERN: nodes.NODE_OR_ITEM_TEXT,
}
