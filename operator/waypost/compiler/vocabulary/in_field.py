"""What is meant by an unknown field in a certain object: `maxAttempts` in `retry` is its limit."""

from collections.abc import Mapping
from typing import Final

_TOOL_SERVER: Final = "did you mean tools, each with the name of a ToolServer in server?"
_PROVIDER: Final = "the ModelProvider of the node has it"
_SETTINGS: Final = {
    **dict.fromkeys(("temperature", "temp"), "temperature"),
    **dict.fromkeys(
        ("max_tokens", "maxTokens", "maxOutputTokens", "max_output_tokens"), "maxTokens"
    ),
    **dict.fromkeys(("top_p", "topP"), "topP"),
    **dict.fromkeys(("stop", "stopSequences", "stop_sequences"), "stopSequences"),
    **dict.fromkeys(("reasoningEffort", "reasoning_effort", "reasoning"), "reasoningEffort"),
    "seed": "seed",
}
_OF_AGENT: Final = {
    word: f"did you mean agent.settings.{ours}?" for word, ours in _SETTINGS.items()
}
_OF_PROVIDER: Final = dict.fromkeys(
    ("apiKey", "api_key", "apiBase", "baseUrl", "baseURL", "base_url", "type", "headers"), _PROVIDER
)


def _meant(field: str, *words: str) -> dict[str, str]:
    return dict.fromkeys(words, f"did you mean {field}?")


# object -> unknown field -> what to do
IN_FIELD: Final[Mapping[str, Mapping[str, str]]] = {
    "agent": {
        **_OF_AGENT,
        **_OF_PROVIDER,
        **_meant("instructions", "systemPrompt", "system_prompt", "system", "role", "backstory"),
        **_meant(
            "prompt, and instructions for what is always so",
            *("messages", "userPrompt", "user", "input", "task", "question", "goal"),
        ),
        **dict.fromkeys(
            ("mcpServers", "mcp", "mcp_servers", "functions", "toolServers"), _TOOL_SERVER
        ),
        **_meant(
            "outputSchema of the node",
            *(
                "outputSchema",
                "responseFormat",
                "response_format",
                "outputFormat",
                "output",
                "schema",
            ),
        ),
        **_meant(
            "limits.requests", "maxIterations", "maxTurns", "max_turns", "maxSteps", "requests"
        ),
        **_meant("limits.costUSD", "maxCost", "maxCostUSD", "costUSD"),
        **_meant("limits.tokens, or settings.maxTokens for one answer", "tokens", "tokenLimit"),
        **_meant(
            "models, a list that is tried in order", "fallback", "fallbacks", "fallbackModels"
        ),
        **_meant("model: {provider: NAME, name: ...}", "provider", "modelName", "llm"),
    },
    "model": {**_OF_AGENT, **_OF_PROVIDER, **_meant("name", "model", "id", "modelName", "modelId")},
    "tools": {
        **_meant(
            "server, the name of a ToolServer", "name", "mcp", "mcpServer", "toolServer", "ref"
        ),
        **_meant("allow, the names of the tools", "tools", "allowed", "allowedTools", "include"),
        **_meant("a ToolServer, whose name is in server", "url", "command", "type", "transport"),
    },
    "retry": {
        **_meant(
            "limit, the number of extra attempts",
            *("maxAttempts", "max_attempts", "attempts", "max", "count", "times", "maxRetries"),
            *("retries", "maximumAttempts", "MaxAttempts"),
        ),
        **_meant(
            "backoff: {initial: 1s, factor: 2, max: 1m}",
            *("delay", "interval", "intervalSeconds", "IntervalSeconds", "initialInterval"),
            *("backoffSeconds", "wait", "backoffRate", "BackoffRate", "maxDelay", "maxInterval"),
        ),
        **_meant(
            "reasons, or exitCodes of a container",
            *("expression", "when", "on", "condition", "retryPolicy", "errors", "ErrorEquals"),
        ),
    },
    "backoff": {
        **_meant("initial", "duration", "delay", "base", "initialInterval", "initialDelay", "min"),
        **_meant("max", "cap", "maxDuration", "maximumInterval", "maxDelay", "maxInterval"),
        **_meant("factor", "multiplier", "rate", "backoffCoefficient", "exponent", "backoffRate"),
    },
    "forEach": {
        **_meant(
            "items",
            *("in", "list", "over", "values", "array", "withItems", "from"),
            *("item", "of", "value", "itemsPath", "elements"),
        ),
        **_meant(
            "maxParallel",
            *("parallel", "parallelism", "concurrency", "maxConcurrency", "concurrencyLimit"),
        ),
        **dict.fromkeys(
            ("as", "var", "itemVar", "loopVar", "name", "itemName"),
            "expressions of the node read the element as ${item}",
        ),
        **_meant(
            "tolerate",
            *("continueOnError", "failFast", "maxFailures", "toleratedFailures"),
            *("toleratedFailureCount", "toleratedFailurePercentage"),
        ),
    },
    "repeat": {
        **_meant("max", "count", "times", "iterations", "limit", "maxIterations", "n", "attempts"),
        **_meant(
            "until, which is true at the end",
            *("while", "condition", "exitWhen", "break", "if", "when", "doUntil"),
        ),
        **_meant("pause", "delay", "interval", "wait", "sleep", "backoff", "every"),
        **_meant("forEach of the node", "items", "forEach"),
    },
    "approval": {
        **_meant(
            "approvers: {users: [...], groups: [...]}",
            *("to", "assignees", "assignee", "users", "groups", "reviewers", "approver", "who"),
        ),
        **_meant(
            "approvers.required",
            *("minApprovals", "required", "quorum", "count", "requiredApprovals", "min"),
        ),
        **_meant("message", "title", "question", "prompt", "description", "text", "body", "ask"),
        **_meant("context", "data", "details", "payload", "show", "metadata"),
        **_meant("answerSchema", "schema", "form", "fields", "responseSchema", "options"),
    },
    "approvers": {
        **_meant("users", "emails", "names", "people", "user"),
        **_meant("groups", "teams", "roles", "group"),
        **_meant("required", "min", "minApprovals", "count", "quorum"),
    },
    "wait": {
        **_meant(
            "duration, such as 10m", "seconds", "minutes", "hours", "for", "time", "delay", "sleep"
        ),
        **_meant("until", "at", "date", "timestamp", "Timestamp", "dateTime"),
    },
    "event": {
        **_meant("names, a list", "name", "type", "types", "eventType", "topic", "signal"),
        **_meant("key", "correlationKey", "correlation", "id", "match", "filter", "correlationId"),
    },
    "http": {
        **_meant("body", "json", "data", "payload", "form"),
        **_meant("query", "params", "queryParams", "queryParameters", "searchParams", "qs"),
        **_meant("url", "uri", "endpoint", "address", "host"),
        **_meant("method", "verb", "type"),
        **_meant(
            "successCodes",
            *(
                "expectedStatus",
                "expectedStatusCodes",
                "statusCodes",
                "validStatus",
                "successStatus",
            ),
            *("successCondition", "acceptStatusCodes"),
        ),
        **_meant("auth", "token", "bearer", "username", "password", "authentication", "apiKey"),
        **_meant("tls", "verify", "insecureSkipVerify", "ca", "caCert", "insecure"),
        **_meant("responseSchema", "outputSchema", "schema"),
    },
    "container": {
        **dict.fromkeys(
            ("workingDir", "workdir", "cwd"),
            "the program starts in the directory of its image; change it in command",
        ),
        **_meant("isolation of the node", "securityContext", "podSecurityContext", "privileged"),
        **_meant("env, with valueFrom for each name", "envFrom"),
        **_meant("command", "cmd", "entrypoint", "entryPoint"),
        **_meant("command: [sh, -c, ...]", "script", "run", "source"),
        **dict.fromkeys(
            ("ports", "livenessProbe", "readinessProbe", "lifecycle"),
            "a node is a program that ends, not a service",
        ),
    },
    "valueFrom": {
        **dict.fromkeys(
            ("fieldRef", "resourceFieldRef"),
            "write value with an expression, such as ${run.name}",
        ),
        **_meant("secretKeyRef", "secretRef", "secret", "secretName"),
        **_meant("configMapKeyRef", "configMapRef", "configMap"),
    },
    "python": {
        **_meant(
            "source, or function: MODULE:NAME",
            "file",
            "path",
            "script",
            "code",
            "handler",
            "module",
        ),
        **dict.fromkeys(
            ("requirements", "packages", "pip", "dependencies", "install"),
            "image names an image that has the packages",
        ),
        **_meant("image", "version", "pythonVersion", "runtime"),
        **_meant("inputs of the node", "args", "kwargs", "arguments", "params", "inputs"),
    },
    "resources": _meant("requests: {cpu: 500m} and limits: {memory: 1Gi}", "cpu", "memory", "gpu"),
    "budget": {
        **_meant("costUSD", "usd", "dollars", "cost", "maxCost", "money", "maxCostUSD"),
        **_meant("tokens", "maxTokens", "tokenLimit", "max_tokens"),
        **_meant("toolCalls", "maxToolCalls", "tools", "calls"),
    },
    "concurrency": {
        **_meant("key", "group", "name", "semaphore", "mutex", "lock"),
        **_meant("limit", "max", "maxConcurrency", "count", "slots", "size", "maxParallel"),
        **_meant("whenFull", "cancelInProgress", "cancel-in-progress", "policy", "strategy"),
    },
    "workflow": _meant(
        "templateRef: {name: ...}, or template with the name of one in templates",
        *("name", "ref", "workflowRef", "pipelineRef", "templateName", "workflowTemplateRef"),
    ),
    "first": {
        **_meant("of", "candidates", "nodes", "from", "in", "anyOf", "items"),
        **_meant("accept", "when", "if", "until", "condition", "where"),
        **_meant("others", "losers", "rest", "onChosen"),
    },
    "in": {
        **_meant("from", "name", "artifact", "source", "node"),
        **_meant("path", "to", "mountPath", "dir", "folder"),
    },
    "out": _meant("path", "from", "mountPath", "dir", "folder", "source"),
    "compensate": dict.fromkeys(
        ("agent", "approval", "wait", "event", "first"),
        "what undoes a node is one of python, container, http and workflow",
    ),
    "exitCodes": {
        **_meant("fail", "never", "permanent", "fatal", "ignore"),
        **_meant("retry", "values", "codes", "in", "only", "on"),
    },
}
# kind of another resource -> unknown field of its spec -> what to do
IN_SPEC: Final[Mapping[str, Mapping[str, str]]] = {
    "AgentWorkflowSchedule": {
        **_meant(
            "schedules, a list of cron lines", "cron", "schedule", "cronExpression", "crontab"
        ),
        **_meant("template", "templateRef", "workflowSpec", "workflowTemplateRef", "jobTemplate"),
        **_meant("timeZone", "tz", "zone", "location"),
        **_meant("successfulRunsHistoryLimit", "successfulJobsHistoryLimit", "historyLimit"),
        **_meant("failedRunsHistoryLimit", "failedJobsHistoryLimit"),
    },
    "ModelProvider": {
        **_meant(
            "apiKey: {name: SECRET, key: KEY}",
            *("auth", "secret", "secretRef", "token", "key", "credentials", "apiKeySecretRef"),
        ),
        **_meant("baseURL", "url", "endpoint", "apiBase", "host", "base_url"),
        **_meant("type", "provider", "kind", "vendor"),
        **_meant("models: [{name: ...}]", "model", "modelName", "name"),
        **_meant("rateLimits", "limits", "rateLimit", "rpm", "tpm"),
    },
    "ToolServer": {
        **_meant("http: {url: ...}", "url", "sse", "endpoint", "streamableHttp", "transport"),
        **_meant("stdio: {image: ..., command: [...]}", "command", "image", "args", "cmd"),
        **_meant("http.headers, or http.auth", "headers", "auth", "token", "apiKey"),
        **dict.fromkeys(("effects", "allow", "tools"), "tools of an agent node have it"),
    },
    "WorkflowEvent": {
        **_meant("name", "type", "event", "eventType", "topic"),
        **_meant("payload", "data", "body", "content", "value"),
    },
    "EventSource": {
        **_meant("auth", "github", "stripe", "slack", "secret", "token", "signature"),
        **_meant("rules", "triggers", "filters", "routes", "events", "on"),
    },
    "AgentWorkflowTemplate": dict.fromkeys(
        ("inputs", "arguments", "parameters", "params"),
        "inputs are given by each run; write their defaults in inputSchema",
    ),
}
# The same of an EventSource.
IN_SOURCE: Final[Mapping[str, Mapping[str, str]]] = {
    "auth": _meant(
        "hmac: {preset: ..., secrets: [...]}",
        *("github", "gitHub", "GitHub", "stripe", "Stripe", "slack", "Slack", "signature"),
        *("standardWebhooks", "webhookSecret"),
    ),
    "hmac": {
        **_meant("secrets: [{name: SECRET, key: KEY}]", "secret", "secretRef", "secretKeyRef"),
        **_meant("preset, which knows the header", "header", "algorithm", "signatureHeader"),
        **_meant("preset", "type", "provider", "scheme", "kind"),
    },
    "bearer": _meant(
        "tokens: [{name: SECRET, key: KEY}]", "token", "secret", "secretRef", "secretKeyRef"
    ),
    "rules": {
        **_meant(
            "id, the same text for the same request",
            *("dedupe", "dedup", "dedupeKey", "dedupId", "deduplicationId", "idempotencyKey"),
            *("deliveryId", "key"),
        ),
        **_meant("when", "if", "condition", "filter", "match", "expression"),
        **_meant("start: {templateRef: {name: ...}, inputs: {...}}", "run", "template", "workflow"),
    },
}
