"""Our words for fields of other systems."""

from collections.abc import Mapping
from typing import Final

# Only names of existing features are translated; for others the message says that they are missing.
OUR_FIELD: Final[Mapping[str, str]] = {
    **dict.fromkeys(("needs", "depends", "dependencies", "dependsOnNodes"), "dependsOn"),
    **dict.fromkeys(("if", "condition", "runIf"), "when"),
    **dict.fromkeys(("retryStrategy", "retryPolicy", "retries", "maxRetries"), "retry"),
    **dict.fromkeys(
        ("maxConcurrency", "concurrencyLimit", "maxParallel", "maxParallelism"),
        "parallelism of the run, or maxParallel of forEach",
    ),
    **dict.fromkeys(
        ("synchronization", "semaphore", "semaphores", "mutex", "mutexes", "concurrencyGroup"),
        "concurrency of a node",
    ),
    **dict.fromkeys(
        (
            "withItems",
            "withItem",
            "withParam",
            "withSequence",
            "matrix",
            "foreach",
            "for_each",
            "fanOut",
            "map",
        ),
        "forEach of a node",
    ),
    **dict.fromkeys(
        ("continueOn", "continueOnError", "continueOnFail", "ignoreErrors"), "onFailure"
    ),
    **dict.fromkeys(
        ("failFast", "toleratedFailureCount"), "onFailure of a node, or tolerate of forEach"
    ),
    **dict.fromkeys(("timeoutSeconds", "timeoutMinutes", "startToCloseTimeout"), "timeout"),
    **dict.fromkeys(
        ("wallTime", "walltime", "activeDeadlineSeconds", "maxDuration", "executionTimeout"),
        "deadline of the run or of a node",
    ),
    **dict.fromkeys(("steps", "tasks", "jobs", "dag", "states", "activities"), "nodes of the run"),
    **dict.fromkeys(
        ("template", "templateRef", "workflowTemplateRef", "pipelineRef"), "templateRef of the run"
    ),
    **dict.fromkeys(("arguments", "parameters", "params", "with"), "inputs"),
    **dict.fromkeys(
        ("call", "subworkflow", "subWorkflow", "childWorkflow", "uses"),
        "workflow.template or workflow.templateRef of a node",
    ),
    **dict.fromkeys(("signal", "waitForEvent", "events"), "event of a node"),
    **dict.fromkeys(("loop", "while", "doUntil", "maxIterations"), "repeat of a node"),
    **dict.fromkeys(("script", "code"), "python.source of a node"),
    **dict.fromkeys(("onExit", "exitHandler", "finally"), "finally of the run"),
    **dict.fromkeys(("ttlStrategy", "ttl", "historyLimit"), "ttlSecondsAfterFinished of the run"),
    **dict.fromkeys(("switch", "choices", "choice"), "when of each node"),
    **dict.fromkeys(
        ("catch", "onError", "errorHandler"), "onFailure of a node, and nodes.<name>.error in when"
    ),
    **dict.fromkeys(
        ("parallel", "branches"),
        "nodes of the run; those that do not depend on each other run at the same time",
    ),
    **dict.fromkeys(("vars", "variables"), "inputs of the run"),
    **dict.fromkeys(
        ("next", "nextStep", "connections", "edges", "transitions"),
        "dependsOn of the node that follows",
    ),
    **dict.fromkeys(
        ("inputPath", "outputPath", "resultPath", "resultSelector"),
        "inputs with expressions such as ${nodes.a.output.b}",
    ),
    **dict.fromkeys(
        ("compensation", "undo", "rollback", "saga", "compensations"), "compensate of a node"
    ),
    "run": "python.source of a node, or container.command",
    "id": "name",
    "serviceAccount": "isolation.serviceAccountName of a node",
    "volumeMounts": "isolation.volumes of a node",
    "podMetadata": "isolation.podLabels of a node",
    "runtimeClass": "isolation.runtimeClassName of a node",
}
# word -> what is so without it
NOT_NEEDED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("startAt", "entrypoint", "entryPoint", "start"),
        "nodes start when what they depend on has ended, and the others at once",
    ),
    **dict.fromkeys(("position", "typeVersion", "taskQueue", "runsOn"), "leave it out"),
}
# What another resource does.
ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("cron", "schedule", "schedules", "cronExpression"),
        "an AgentWorkflowSchedule starts runs of a template",
    ),
    **dict.fromkeys(
        ("triggers", "trigger"),
        "an EventSource starts runs of a template that lists it in spec.triggers",
    ),
}
# Words that have another meaning in a node than in the run.
IN_NODE: Final[Mapping[str, str]] = {
    "suspend": "approval of a node, or wait with a duration",
    **dict.fromkeys(
        ("type", "Type", "Resource", "resource", "action"),
        "the kind of the node as a field, such as python or container",
    ),
}
# Where other systems have a list of steps inside of a step or a loop.
SEVERAL: Final = ("nodes", "steps", "tasks", "jobs", "dag", "states", "activities", "body")
ONE_NODE: Final = (
    "; forEach and repeat are for one node, and a node does one thing: make these nodes a "
    "template, and call it with workflow.template or workflow.templateRef"
)
# word -> what to do instead today
NOT_YET: Final[Mapping[str, str]] = {
    **dict.fromkeys(("cache", "memoize", "memoization"), "a round keeps what succeeded: see rerun"),
}
# The page about a field, by the name of the innermost field around it that has one.
PAGES: Final[Mapping[str, str]] = {
    "agent": "agent-nodes.md",
    "forEach": "maps.md",
    "repeat": "loops.md",
    "concurrency": "concurrency.md",
    "isolation": "isolation.md",
    "first": "first.md",
    "event": "events.md",
    "WorkflowEvent": "events.md",
    "AgentWorkflowSchedule": "schedules.md",
    "Approval": "approvals.md",
    "MemoryEntry": "memory.md",
    "memory": "memory.md",
    "remember": "memory.md",
    "EventSource": "webhooks.md",
    "budget": "agent-nodes.md",
    "http": "http-nodes.md",
    "container": "node-protocol.md",
    "rerun": "recovery.md",
    "retry": "semantics.md",
    "approval": "semantics.md",
    "compensate": "compensation.md",
    "finally": "finally.md",
    "ModelProvider": "providers.md",
    "ToolServer": "providers.md",
    "AgentWorkflowTemplate": "templates.md",
    "templateRef": "templates.md",
    "workflow": "sub-workflows.md",
    "templates": "sub-workflows.md",
    "NodeRecord": "payloads.md",
}
PAGE: Final = "concepts.md"
