"""Manifests that the API server refuses, and what kubectl then prints."""

from typing import Any

from tests.crds.manifests import (
    PYTHON,
    Manifest,
    agent,
    approval,
    container,
    gate,
    node,
    pause,
    workflow,
)
from tests.crds.refused_finally import FINALLY
from tests.crds.refused_kinds import KINDS, row
from tests.crds.refused_loops import LOOPS
from tests.crds.refused_records import RECORDS


def with_env(**variable: Any) -> Manifest:
    """A workflow whose one container has one environment variable."""
    return workflow(container(env=[variable]))


SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
CONFIG = {"configMapKeyRef": {"name": "c", "key": "k"}}

STRICT = [
    *KINDS,
    *FINALLY,
    *LOOPS,
    *RECORDS,
    row(
        "rerun-of-an-item-without-a-number",
        workflow(rerun={"round": 2, "from": ["scan/x"]}),
        "scan/x is neither the name of a node, such as scan, nor an item",
    ),
    row(
        "rerun-of-a-node-of-a-child-run",
        workflow(rerun={"round": 2, "from": ["review/second"]}),
        "review/second is neither the name of a node, such as scan, nor an item of a node with "
        "forEach, such as scan/3; items are counted from 0; to repeat a node of a child run, rerun "
        "that run",
    ),
    row(
        "rerun-of-the-first-round",
        workflow(rerun={"round": 1}),
        "spec.rerun.round: Invalid value: 1: spec.rerun.round in body should be greater than or "
        "equal to 2",
    ),
    row(
        "remembers-nothing",
        workflow(node(remember={"review": "Automatic"})),
        "spec.nodes[0].remember.facts: Required value",
    ),
    row(
        "a-tool-of-memory-that-does-not-exist",
        workflow(agent(memory={"tools": ["remember"]})),
        'spec.nodes[0].agent.memory.tools[0]: Unsupported value: "remember"',
    ),
    row(
        "reads-again-in-another-way",
        workflow(rerun={"round": 2, "memory": "Keep"}),
        'spec.rerun.memory: Unsupported value: "Keep"',
    ),
    row(
        "two-kinds",
        workflow(node(wait={"duration": "1m"})),
        "spec.nodes[0]: Forbidden: node gather has the kinds python, wait; keep one of them and "
        "move the others to new nodes",
    ),
    row("no-nodes", workflow() | {"spec": {"nodes": []}}, "spec.nodes", "at least 1 items"),
    row("spec-missing", {**workflow(), "spec": None}, "spec: Required value"),
    row(
        "too-many-nodes",
        workflow(*[node(f"n{i}") for i in range(201)]),
        "spec.nodes: Too many: 201: must have at most 200 items",
    ),
    row(
        "same-name-twice",
        workflow(node(), node()),
        'spec.nodes[1]: Duplicate value: {"name":"gather"}',
    ),
    row("name-missing", workflow({"python": PYTHON}), "spec.nodes[0].name: Required value"),
    row(
        "name-with-hyphen",
        workflow(node("gather-logs")),
        "spec.nodes[0].name: Forbidden: node name gather-logs cannot be used in expressions",
        "Use _ instead of -: gather_logs",
    ),
    row(
        "name-upper-case",
        workflow(node("Gather")),
        "node name Gather cannot be used in expressions (nodes.<name>.output); use lower case "
        "letters, digits and _, start with a letter, and do not end with _",
    ),
    row("name-too-long", workflow(node("n" * 41)), "spec.nodes[0].name: Too long"),
    row(
        "name-is-a-word-of-cel",
        workflow(node("true")),
        "spec.nodes[0].name: Forbidden: "
        "node name true is a reserved word of CEL, so nodes.true.output is not a valid expression; "
        "choose another name, such as true_node",
    ),
    row(
        "wait-without-time",
        workflow(pause(wait={})),
        "spec.nodes[0].wait: Required value: neither duration nor until is set; set one of",
    ),
    row(
        "wait-with-two-times",
        workflow(pause(wait={"duration": "1m", "until": "2026-11-24T03:10:00Z"})),
        "spec.nodes[0].wait: Forbidden: both duration and until are set; keep one of them",
    ),
    row(
        "duration-in-days",
        workflow(pause(wait={"duration": "2d"})),
        "spec.nodes[0].wait.duration: Forbidden: "
        "2d is not a duration; use whole numbers of h, m, s and ms, such as 90s, 10m or 1h30m "
        '(a day is 24h), or an expression such as "${inputs.seconds}s"',
    ),
    row(
        "timeout-as-an-expression",
        workflow(node(timeout="${inputs.n}s")),
        "${inputs.n}s is not a duration; use whole numbers of h, m, s and ms, such as 90s, 10m or "
        "1h30m (a day is 24h). ${...} is not evaluated in this field",
    ),
    row("duration-with-fraction", workflow(node(timeout="1.5h")), "1.5h is not a duration"),
    row("duration-as-number", workflow(node(timeout=10)), "spec.nodes[0].timeout", "integer"),
    row(
        "timeout-zero",
        workflow(node(timeout="0s")),
        "spec.nodes[0].timeout: Forbidden: "
        "timeout must be greater than zero; set a duration such as 90s or 10m",
    ),
    row(
        "queue-timeout-zero",
        workflow(node(queueTimeout="0m0s")),
        "spec.nodes[0].queueTimeout: Forbidden: queueTimeout must be greater than zero",
    ),
    row(
        "deadline-zero",
        workflow(node(deadline="0h")),
        "spec.nodes[0].deadline: Forbidden: deadline must be greater than zero; set a "
        "duration such as 90s or 10m, or remove deadline",
    ),
    row(
        "run-deadline-zero",
        workflow(deadline="0s"),
        "spec.deadline: Forbidden: deadline must be greater than zero",
    ),
    row("default-deadline", workflow(defaults={"deadline": "1h"}), 'unknown field "spec.defaults'),
    row(
        "deadline-on-approval",
        workflow(gate(deadline="1h")),
        "spec.nodes[0]: Forbidden: node review has no pod, but sets deadline; only python, "
        "container, agent, http nodes can set these fields. Remove them; to limit the time, use ",
    ),
    row("deadline-on-wait", workflow(pause(deadline="1h")), "has no pod, but sets deadline;"),
    row(
        "default-timeout-zero",
        workflow(defaults={"timeout": "0s"}),
        "spec.defaults.timeout: Forbidden: timeout must be greater than zero",
    ),
    row(
        "default-queue-timeout-zero",
        workflow(defaults={"queueTimeout": "0s"}),
        "spec.defaults.queueTimeout: Forbidden: queueTimeout must be greater than zero",
    ),
    row(
        "approval-timeout-zero",
        workflow(gate(approval={"timeout": "0h"})),
        "spec.nodes[0].approval.timeout: Forbidden: timeout must be greater than zero",
    ),
    row(
        "env-without-value",
        with_env(name="A"),
        "spec.nodes[0].container.env[0]: Required value: A has neither value nor "
        "valueFrom; set one of them",
    ),
    row(
        "env-with-two-values",
        with_env(name="A", value="1", valueFrom=SECRET),
        "Forbidden: A has both value and valueFrom; keep one of them",
    ),
    row(
        "env-without-source",
        with_env(name="A", valueFrom={}),
        "spec.nodes[0].container.env[0].valueFrom: Required value: neither secretKeyRef nor "
        "configMapKeyRef is set; set one of them",
    ),
    row(
        "env-with-two-sources",
        with_env(name="A", valueFrom=SECRET | CONFIG),
        "both secretKeyRef and configMapKeyRef are set; keep one of them",
    ),
    row(
        "env-reserved",
        with_env(name="WAYPOST_OUTPUT", value="1"),
        "spec.nodes[0].container.env[0].name: Forbidden: the name WAYPOST_OUTPUT is "
        "reserved: Waypost sets WAYPOST_ variables; choose another name",
    ),
    row(
        "env-reserved-in-python",
        workflow(node(python=PYTHON | {"env": [{"name": "WAYPOST_X", "value": "1"}]})),
        "spec.nodes[0].python.env[0].name: Forbidden: the name WAYPOST_X is",
    ),
    row(
        "env-twice",
        workflow(container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])),
        'spec.nodes[0].container.env[1]: Duplicate value: {"name":"A"}',
    ),
    row("image-missing", workflow({"name": "a", "container": {}}), "container.image: Required"),
    row(
        "not-a-quantity",
        workflow(container(resources={"limits": {"memory": "lots"}})),
        "spec.nodes[0].container.resources.limits.memory",
    ),
    row(
        "default-not-a-quantity",
        workflow(defaults={"resources": {"limits": {"memory": "lots"}}}),
        "spec.defaults.resources.limits.memory",
    ),
    row(
        "retry-never-and-limit",
        workflow(node(retry={"never": True, "limit": 3})),
        "spec.nodes[0].retry.limit: Forbidden: both never: true and limit are set, but never "
        "allows no second attempt; remove one of them",
    ),
    row(
        "retry-never-and-reasons",
        workflow(node(retry={"never": True, "reasons": ["Timeout"]})),
        "spec.nodes[0].retry.reasons: Forbidden: both never: true and reasons are set, but "
        "never allows no second attempt; remove one of them",
    ),
    row(
        "exit-codes-and-never",
        workflow(container() | {"retry": {"never": True, "exitCodes": {"retry": [75]}}}),
        "spec.nodes[0].retry.exitCodes: Forbidden: both never: true and exitCodes are set, but "
        "never allows no second attempt; remove one of them",
    ),
    row(
        "exit-codes-neither",
        workflow(container() | {"retry": {"limit": 1, "exitCodes": {}}}),
        "spec.nodes[0].retry.exitCodes: Required value: neither retry nor fail is set; list the "
        "exit codes to retry in retry, or the exit codes not to retry in fail",
    ),
    row(
        "exit-codes-both",
        workflow(container() | {"retry": {"limit": 1, "exitCodes": {"retry": [1], "fail": [2]}}}),
        "spec.nodes[0].retry.exitCodes: Forbidden: both retry and fail are set, but with retry "
        "every other exit code fails; remove one of them",
    ),
    row(
        "exit-codes-of-python",
        workflow(node(retry={"limit": 1, "exitCodes": {"retry": [75]}})),
        "spec.nodes[0].retry: Forbidden: node gather sets retry.exitCodes, which is only used "
        "with container; use retry.reasons",
    ),
    row(
        "exit-code-zero",
        workflow(container() | {"retry": {"limit": 1, "exitCodes": {"fail": [0]}}}),
        "spec.nodes[0].retry.exitCodes.fail[0]",
        "greater than or equal to 1",
    ),
    row(
        "exit-code-twice",
        workflow(container() | {"retry": {"limit": 1, "exitCodes": {"fail": [2, 2]}}}),
        "spec.nodes[0].retry.exitCodes.fail[1]: Duplicate value: 2",
    ),
    row(
        "retry-of-what-the-cluster-did",
        workflow(node(retry={"limit": 1, "reasons": ["Disrupted"]})),
        'retry.reasons[0]: Unsupported value: "Disrupted"',
        '"Timeout"',
    ),
    row(
        "retry-reason-twice",
        workflow(node(retry={"limit": 1, "reasons": ["Timeout", "Timeout"]})),
        'spec.nodes[0].retry.reasons[1]: Duplicate value: "Timeout"',
    ),
    row(
        "retry-of-no-reason",
        workflow(defaults={"retry": {"limit": 1, "reasons": []}}),
        "spec.defaults.retry.reasons: Invalid value",
        "at least 1 items",
    ),
    row("retry-limit-too-high", workflow(node(retry={"limit": 21})), "less than or equal to 20"),
    row(
        "retry-on-approval",
        workflow(gate(retry={"limit": 1}, timeout="1h")),
        "spec.nodes[0]: Forbidden: node review has no pod, but sets timeout, retry; only python, "
        "container, agent, http nodes can set these fields. Remove them; to limit the time, use "
        "approval.timeout, event.timeout or wait.duration",
    ),
    row("queue-timeout-on-wait", workflow(pause(queueTimeout="1m")), "but sets queueTimeout;"),
    row("isolation-on-wait", workflow(pause(isolation={})), "but sets isolation;"),
    row("effect-on-approval", workflow(gate(effect="once")), "but sets effect;"),
    row("effect-unknown", workflow(node(effect="twice")), "effect: Unsupported value", '"once"'),
    row(
        "fallback-without-continue",
        workflow(node(fallbackOutput={"events": []})),
        "spec.nodes[0].fallbackOutput: Forbidden: fallbackOutput is only used with onFailure: "
        "Continue; set onFailure: Continue or remove",
    ),
    row(
        "fallback-with-pause",
        workflow(node(onFailure="Pause", fallbackOutput=1)),
        "spec.nodes[0].fallbackOutput: Forbidden: fallbackOutput is only used with onFailure",
    ),
    row("on-failure-unknown", workflow(node(onFailure="Stop")), "Unsupported value", '"Pause"'),
    row(
        "approvers-nobody",
        workflow(gate(approval={"approvers": {"users": [], "required": 1}})),
        "spec.nodes[0].approval.approvers: Required value: no approver is named; add at "
        "least one user to users or one group to groups",
    ),
    row(
        "approvers-of-the-system",
        workflow(gate(approval={"approvers": {"groups": ["sre", "system:masters"]}})),
        "spec.nodes[0].approval.approvers.groups: Forbidden: groups of the domain system: cannot "
        "approve",
    ),
    row(
        "approvers-too-few",
        workflow(gate(approval={"approvers": {"users": ["ann"], "required": 2}})),
        "spec.nodes[0].approval.approvers.required: Forbidden: "
        "required is greater than the number of users, and there are no groups; lower required, or",
    ),
    row(
        "approver-twice",
        workflow(gate(approval={"approvers": {"users": ["ann", "ann"]}})),
        'approvers.users[1]: Duplicate value: "ann"',
    ),
    row(
        "silence-never-means-yes",
        workflow(gate(approval={"onTimeout": "Approve"})),
        "onTimeout: Unsupported value",
    ),
    row(
        "escalation-to-too-many-levels",
        workflow(gate(approval={"escalation": [{"approvers": {"users": ["ann"]}}] * 6})),
        "approval.escalation: Too many: 6: must have at most 5 items",
    ),
    row(
        "escalation-to-nobody",
        workflow(gate(approval={"escalation": [{"timeout": "1h"}]})),
        "approval.escalation[0].approvers: Required value",
    ),
    row(
        "depends-on-itself",
        workflow(node(dependsOn=["gather"])),
        "spec.nodes[0].dependsOn: Forbidden: "
        "node gather lists itself in dependsOn; remove it from dependsOn",
    ),
    row(
        "after-itself",
        workflow(node(after=["gather"])),
        "spec.nodes[0].after: Forbidden: node gather lists itself in after; remove it from after",
    ),
    row(
        "depends-on-twice",
        workflow(node("a"), node("b", dependsOn=["a", "a"])),
        'spec.nodes[1].dependsOn[1]: Duplicate value: "a"',
    ),
    row(
        "depends-on-too-many",
        workflow(node("b", dependsOn=[f"n{i}" for i in range(201)])),
        "spec.nodes[0].dependsOn: Too many: 201: must have at most 200 items",
    ),
    row("parallelism-text", workflow(parallelism="3"), "spec.parallelism", "integer"),
    row("parallelism-zero", workflow(parallelism=0), "spec.parallelism", "equal to 1"),
    row("yaml-says-on", workflow(node(when=True)), "spec.nodes[0].when", "boolean"),
    row("run-name-too-long", workflow(name="r" * 254), "metadata.name", "no more than 253"),
    row(
        "approval-already-answered",
        approval(decision="Approved", decidedBy="eve"),
        "spec: Forbidden: found decision, decidedBy in a new Approval; create it without an "
        "answer, then answer it with a patch",
    ),
    row(
        "approval-already-voted",
        approval(votes={"eve": {"decision": "Approved"}}),
        "found votes in a new Approval",
    ),
    row("approval-with-answer", approval(answer=False), "found answer in a new Approval"),
]

# kubectl asks for strict validation; other clients may not, and unknown fields are then dropped.
LENIENT = [
    row(
        "unknown-kind-is-dropped",
        workflow({"name": "each", "subgraph": {"items": []}}),
        "node each has no kind; set exactly one of python, container, agent, http, approval",
    ),
]
