"""Messages about unknown fields: the most similar field, or our name for one of another system.

Plain text only, so that the operator, `waypost lint` and the docs say the same.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from waypost.api.workflow import NOT_IN_FINALLY
from waypost.compiler.field_places import places_of

_LATER: Final = "Waypost does not support it yet"
_DOCS: Final = "docs"

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
_IN_NODE: Final[Mapping[str, str]] = {
    "suspend": "approval of a node, or wait with a duration",
    **dict.fromkeys(
        ("type", "Type", "Resource", "resource", "action"),
        "the kind of the node as a field, such as python or container",
    ),
}
# Where other systems have a list of steps inside of a step or a loop.
_SEVERAL: Final = ("nodes", "steps", "tasks", "jobs", "dag", "states", "activities", "body")
_ONE_NODE: Final = (
    "; forEach and repeat are for one node, and a node does one thing: make these nodes a "
    "template, and call it with workflow.template or workflow.templateRef"
)
# Words for the fields of a block, by the name of the block: what they mean is clear only there.
_IN_BLOCK: Final[Mapping[str, Mapping[str, str]]] = {
    "forEach": {
        **dict.fromkeys(
            ("item", "in", "of", "over", "list", "value", "values", "itemsPath", "elements"),
            "items",
        ),
        **dict.fromkeys(
            ("parallel", "parallelism", "concurrency", "maxConcurrency", "concurrencyLimit"),
            "maxParallel",
        ),
        **dict.fromkeys(
            ("failFast", "maxFailures", "toleratedFailureCount", "toleratedFailurePercentage"),
            "tolerate",
        ),
        **dict.fromkeys(("as", "var", "itemVar"), "inputs of the node with ${item}"),
    },
    "repeat": {
        **dict.fromkeys(("while", "if", "when", "condition", "doUntil", "exitWhen"), "until"),
        **dict.fromkeys(
            ("maxIterations", "iterations", "times", "count", "limit", "attempts"), "max"
        ),
        **dict.fromkeys(("delay", "interval", "wait", "sleep", "backoff", "every"), "pause"),
        **dict.fromkeys(("items", "forEach"), "forEach of the node"),
    },
    "concurrency": {
        **dict.fromkeys(("max", "size", "slots", "maxParallel", "maxConcurrency"), "limit"),
        **dict.fromkeys(("group", "name", "mutex", "semaphore", "lock"), "key"),
        **dict.fromkeys(("policy", "cancelInProgress", "cancel-in-progress"), "whenFull"),
    },
    "workflow": dict.fromkeys(
        ("name", "ref", "workflowRef", "pipelineRef", "templateName", "workflowTemplateRef"),
        "templateRef: {name: ...}, or template with the name of one in templates",
    ),
    "first": {
        **dict.fromkeys(("candidates", "nodes", "from", "in", "anyOf", "items"), "of"),
        **dict.fromkeys(("when", "if", "until", "condition", "where"), "accept"),
        **dict.fromkeys(("losers", "rest", "onChosen"), "others"),
    },
    "in": {
        **dict.fromkeys(("name", "artifact", "source", "node"), "from"),
        **dict.fromkeys(("to", "mountPath", "dir", "folder"), "path"),
    },
    "out": dict.fromkeys(("from", "mountPath", "dir", "folder", "source"), "path"),
}
_UNDOES: Final = ("agent", "approval", "wait", "event", "first")
# word -> what to do instead today
NOT_YET: Final[Mapping[str, str]] = {
    **dict.fromkeys(("cache", "memoize", "memoization"), "a round keeps what succeeded: see rerun"),
}
# The page about a field, by the name of the innermost field around it that has one.
_PAGES: Final[Mapping[str, str]] = {
    "agent": "agent-nodes.md",
    "forEach": "maps.md",
    "repeat": "loops.md",
    "concurrency": "concurrency.md",
    "isolation": "isolation.md",
    "first": "first.md",
    "event": "events.md",
    "WorkflowEvent": "events.md",
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
_PAGE: Final = "concepts.md"
_OF_RUNS: Final = ("AgentWorkflow", "AgentWorkflowTemplate")
_NODE: Final = re.compile(r"(.+\.)?(nodes|finally)\[\d+\]")
_IN_A_NODE: Final = re.compile(_NODE.pattern + r"(\.(forEach|repeat))?")
_IN_FINALLY: Final = re.compile(r"(spec\.)?finally\[\d+\]")


def unknown_field(
    name: str, *, path: str, known: Collection[str], kind: str = "AgentWorkflow"
) -> str:
    """The message about an unknown field.

    Args:
        name: The field.
        path: The object with the field, as the API server writes it: `spec.nodes[0].retry`, with
            or without `spec`.
        known: The fields that the object can have.
        kind: The kind of the resource.
    """
    steps = re.findall(r"[^.\[\]]+|\[[^\]]*\]", path.removeprefix("spec").removeprefix("."))
    place = "the spec" if path == "spec" else path.removeprefix("spec.") or "the object"
    page = next((_PAGES[step] for step in reversed([kind, *steps]) if step in _PAGES), _PAGE)
    advice = _advice(name, known, of_run=kind in _OF_RUNS)
    block = next((step for step in reversed(steps) if not step.startswith("[")), "")
    if kind in _OF_RUNS and name in _IN_BLOCK.get(block, ()):
        advice = f"; did you mean {_IN_BLOCK[block][name]}?"
    if block == "compensate" and name in _UNDOES:
        advice = "; what undoes a node is one of python, container, http and workflow"
    if name in _IN_NODE and _NODE.fullmatch(path):
        advice = f"; did you mean {_IN_NODE[name]}?"
    if name in _SEVERAL and _IN_A_NODE.fullmatch(path):
        advice, page = _ONE_NODE, _PAGES["workflow"]
    if name in NOT_IN_FINALLY and _IN_FINALLY.fullmatch(path):
        advice = "; a clean-up waits for nobody: move it to nodes"
    if name == "compensate" and _IN_FINALLY.fullmatch(path):
        advice = "; a clean-up is not undone: leave it out"
    shown = name or '""'
    return f"unknown field {shown} in {place}{advice} (see {_DOCS}/{page})"


def _advice(name: str, known: Collection[str], *, of_run: bool) -> str:
    if foreign := _foreign(name):
        return foreign
    by_lower = {field.lower(): field for field in known}
    places = places_of(name) if of_run and name.lower() not in by_lower else ()
    if places:
        *others, last = places
        return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    spelt = _SPELLINGS.get(_spelling(name), "") if name.lower() not in by_lower else ""
    if spelt and (foreign := _foreign(spelt)):
        return foreign
    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_lower[close[0]]}?"
    return f"; known fields: {', '.join(sorted(known))}" if known else ""


def _foreign(name: str) -> str:
    """The advice about a word of another system; "" if it is none."""
    if name in OUR_FIELD:
        return f"; did you mean {OUR_FIELD[name]}?"
    if name in NOT_NEEDED:
        return f"; it is not needed: {NOT_NEEDED[name]}"
    if name in ELSEWHERE:
        return f"; {ELSEWHERE[name]}"
    return f"; {_LATER}: {NOT_YET[name]}" if name in NOT_YET else ""


def _spelling(name: str) -> str:
    """A word without its spelling: `timeout-minutes`, `TimeoutMinutes` and `timeoutMinutes`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_SPELLINGS: Final = {
    _spelling(name): name for name in (*OUR_FIELD, *NOT_NEEDED, *ELSEWHERE, *NOT_YET)
}
