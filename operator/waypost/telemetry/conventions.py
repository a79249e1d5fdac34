"""All names of the OpenTelemetry GenAI semantic conventions that Waypost writes, and its own.

The conventions are in development: when a name changes, it changes here only. Names that start
with `waypost.` are for what they do not cover: node, attempt, approval, provider wait, reask.
"""

from typing import Final

# Values of gen_ai.operation.name, which also begin the names of spans.
INVOKE_WORKFLOW: Final = "invoke_workflow"
INVOKE_AGENT: Final = "invoke_agent"
CHAT: Final = "chat"
EXECUTE_TOOL: Final = "execute_tool"
SEARCH_MEMORY: Final = "search_memory"
UPSERT_MEMORY: Final = "upsert_memory"
PULL: Final = "pull"  # not of the conventions: begins the name of a span alone

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
AGENT_NAME: Final = "gen_ai.agent.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"  # opt-in
TOOL_RESULT: Final = "gen_ai.tool.call.result"  # opt-in
ERROR_TYPE: Final = "error.type"  # stable
OTHER_ERROR: Final = "_OTHER"

NAMESPACE: Final = "k8s.namespace.name"
JOB_NAME: Final = "k8s.job.name"
POD_UID: Final = "k8s.pod.uid"

RUN_NAME: Final = "waypost.run.name"
RUN_UID: Final = "waypost.run.uid"
RUN_ROUND: Final = "waypost.run.round"
RUN_OUTCOME: Final = "waypost.run.outcome"
NODE_PATH: Final = "waypost.node.path"
NODE_KIND: Final = "waypost.node.kind"
NODE_ATTEMPT: Final = "waypost.node.attempt"
NODE_OUTCOME: Final = "waypost.node.outcome"
NODE_QUEUE_SECONDS: Final = "waypost.node.queue_seconds"
APPROVAL_NAME: Final = "waypost.approval.name"
APPROVAL_OUTCOME: Final = "waypost.approval.outcome"
NODE_STARTUP_SECONDS: Final = "waypost.node.startup_seconds"
CHILD_RUN: Final = "waypost.child.run"
ADMITTED_EVENT: Final = "waypost.admitted"
SCHEDULED_EVENT: Final = "waypost.scheduled"
STARTED_EVENT: Final = "waypost.started"
APPROVAL_LEVEL: Final = "waypost.approval.level"
CHOICE_CANDIDATE: Final = "waypost.first.chosen"
TOOL_SERVER: Final = "waypost.tool.server"
TOOL_OUTCOME: Final = "waypost.tool.outcome"
TOOL_DECISION: Final = "waypost.tool.decision"
TOOL_ARGUMENTS_DIGEST: Final = "waypost.tool.arguments_digest"
TOOL_RESULT_DIGEST: Final = "waypost.tool.result_digest"
FIRST_BYTE_SECONDS: Final = "waypost.model.first_byte_seconds"
GATEWAY_WAIT_SECONDS: Final = "waypost.model.gateway_wait_seconds"
MEMORY_SCOPE: Final = "waypost.memory.scope"
MEMORY_EPISODES: Final = "waypost.memory.episodes"
MEMORY_FACTS: Final = "waypost.memory.facts"
REPLAYED: Final = "waypost.replayed"
TRACE_DROPPED: Final = "waypost.trace.dropped"
REASK_EVENT: Final = "waypost.reask"
WAIT_EVENT: Final = "waypost.provider_wait"
WAIT_REASON: Final = "waypost.wait.reason"
WAIT_SECONDS: Final = "waypost.wait.seconds"

# ModelProvider.spec.type as the conventions spell it.
PROVIDERS: Final = {"OpenAI": "openai", "Anthropic": "anthropic", "Google": "gcp.gemini"}
