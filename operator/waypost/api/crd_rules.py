"""What the API server refuses by itself, before the operator sees it.

Everything that needs the whole graph (dangling references, cycles, expressions, size of the
inputs) is judged by the operator, in the condition Accepted.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from waypost.api import crd_rules_approval as approval
from waypost.api import crd_rules_endpoint as endpoint
from waypost.api import crd_rules_workflow as workflow
from waypost.api.base import DURATION_PATTERN, NODE_NAME_PATTERN
from waypost.api.crd_cel import Rule, at_most_one_of, names_of
from waypost.api.endpoint import URL_PATTERN

_FORMS = ("data", "compressed", "object")
_FOUND = names_of(_FORMS)
_RECORD = (
    Rule(
        "self == oldSelf",
        ["a record never changes; write a new one under the number of its own attempt"],
    ),
    Rule(
        # Not exactly one: has() does not see a null, which is a payload too.
        at_most_one_of(_FORMS),
        ["a record holds its payload in one of data, compressed and object; found ", _FOUND],
    ),
)

# By what carries them: a resource, a model, or a string with that pattern.
RULES: Final[Mapping[str, Sequence[Rule]]] = {
    "AgentWorkflow": workflow.WORKFLOW,
    "AgentWorkflowSpec": (workflow.not_zero("deadline"),),
    "Node": workflow.NODE,
    "Defaults": (workflow.not_zero("timeout"), workflow.not_zero("queueTimeout")),
    "Retry": workflow.RETRY,
    "EnvVar": workflow.ENV_VAR,
    "EnvSource": workflow.ENV_SOURCE,
    "ApprovalKind": (workflow.not_zero("timeout"),),
    "Approvers": workflow.APPROVERS,
    "WaitKind": workflow.WAIT,
    "PythonKind": workflow.PYTHON,
    "Tools": workflow.TOOLS,
    "HttpAuth": workflow.HTTP_AUTH,
    "RequestHeader": workflow.VALUE_OR_SOURCE,
    "AgentWorkflowStatus": workflow.STATUS,
    "NodeStatus": workflow.NODE_STATUS,
    "Approval": approval.APPROVAL,
    "ApprovalSpec": approval.APPROVAL_SPEC,
    "Vote": approval.VOTE,
    "NodeRecordSpec": _RECORD,
    "ModelProviderSpec": endpoint.PROVIDER,
    "ToolServerSpec": endpoint.TOOL_SERVER,
    "ToolHeader": endpoint.TOOL_HEADER,
    "ValueSource": endpoint.VALUE_SOURCE,
    "TlsSource": endpoint.TLS_SOURCE,
    URL_PATTERN: endpoint.URL_TEXT,
    DURATION_PATTERN: workflow.DURATION_TEXT,
    NODE_NAME_PATTERN: workflow.NODE_NAME_TEXT,
}
