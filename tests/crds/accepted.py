"""Manifests that the API server takes, and stores to the last field."""

from typing import Any, get_args

import pytest
from waypost.api.record import RecordType

from tests.crds.manifests import (
    IMAGE,
    PYTHON,
    Manifest,
    agent,
    approval,
    container,
    definition,
    gate,
    kept,
    node,
    pause,
    record,
    run_of,
    template,
    workflow,
)
from tests.unit.compiler.test_isolation import EVERYTHING as ISOLATION

ANY_VALUES: Manifest = {
    "text": "${nodes.a.output}",
    "null": None,
    "list": [1, None, {"x": None}, [True, 0.5]],
    "object": {"deep": {"er": [{}], "nothing": None}},
    "integer": 9007199254740991,
    "flag": False,
}
SCHEMA: Manifest = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": ["object", "null"],
    "required": ["events"],
    "properties": {"events": {"type": "array", "items": {"type": "string"}, "default": None}},
    "additionalProperties": False,
    "x-anything": [1, "two", None],
}


def row(id: str, manifest: Manifest, reason: str) -> Any:
    """One row: `manifest` is stored as it is."""
    return pytest.param(manifest, reason, id=id)


EVERYTHING = workflow(
    node(
        "gather",
        python=PYTHON | {"env": [{"name": "A", "value": ""}], "resources": {"limits": {"cpu": 1}}},
        inputs=ANY_VALUES,
        inputSchema=SCHEMA,
        outputSchema=SCHEMA,
        timeout="1h30m",
        queueTimeout="500ms",
        deadline="36h",
        retry={
            "limit": 0,
            "backoff": {"initial": "0s", "factor": 2, "max": "5m"},
            "reasons": ["NodeError", "Timeout", "RateLimited"],
        },
        effect="idempotent",
        onFailure="Continue",
        fallbackOutput={"events": [None]},
        isolation={"serviceAccountName": "runner"},
    ),
    {
        "name": "publish",
        "container": {
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/publish"],
            "args": ["--cause", "${nodes.gather.output.events[0]}"],
            "env": [
                {
                    "name": "TOKEN",
                    "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}},
                },
                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            ],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi", "example.com/gpu": 1}},
        },
        "when": "${nodes.review.output.decision == 'Approved'}",
        "dependsOn": ["review"],
        "after": ["pause"],
        "onFailure": "Pause",
        "retry": {"never": True},
    },
    gate(
        "review",
        approval={
            "message": "Publish? ${nodes.gather.output}",
            "context": ANY_VALUES,
            "answerSchema": SCHEMA,
            "approvers": {"users": ["ann", "bob"], "groups": ["sre"], "required": 3},
            "timeout": "24h",
            "onTimeout": "Escalate",
            "escalation": [
                {"approvers": {"groups": ["managers"]}, "timeout": "8h"},
                {
                    "approvers": {"users": ["cto", "cfo"], "required": 2},
                    "timeout": "1h30m",
                    "onTimeout": "Fail",
                },
            ],
            "onDenied": "Continue",
        },
        inputs={"a": None},
        onFailure="Continue",
    ),
    pause("pause"),
    {
        "name": "think",
        "agent": {
            "model": {"provider": "default", "name": "gpt-5-mini"},
            "instructions": "You are careful.",
            "prompt": "Events: ${self.inputs.text}",
            "tools": [
                {"server": "runbooks", "allow": ["search"], "effects": {"search": "none"}},
                {"module": "texts", "functions": ["count"]},
            ],
            "settings": {"temperature": 0.5, "topP": 1, "maxTokens": 100, "seed": 7},
            "limits": {"requests": 5, "toolCalls": 0, "tokens": 9, "costUSD": "0.50"},
            "reasks": 0,
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "env": [{"name": "A", "value": ""}],
            "resources": {"limits": {"cpu": 1}},
        },
    },
    {
        "name": "think_again",
        "agent": {
            "models": [{"provider": "main", "name": "m"}, {"provider": "backup", "name": "m"}],
            "prompt": "Think.",
        },
    },
    {
        "name": "fetch",
        "http": {
            "method": "POST",
            "url": "https://example.com/${self.inputs.text}",
            "query": {"q": "${inputs.text}"},
            "headers": [
                {"name": "X-A", "value": "1"},
                {"name": "X-B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "auth": {"basic": {"name": "s", "usernameKey": "u", "passwordKey": "p"}},
            "body": ANY_VALUES,
            "responseSchema": SCHEMA,
            "successCodes": [200, 404],
            "maxBytes": 1024,
            "bigIntegers": "AsText",
            "tls": {"caConfigMap": {"name": "ca", "key": "ca.crt"}},
            "resources": {"limits": {"cpu": 1}},
        },
    },
    node("own", python={"function": "texts:run", "image": IMAGE, "imagePullPolicy": "Always"}),
    finally_=[
        node("sweep", onFailure="Continue", fallbackOutput=None, retry={"limit": 1}),
        {"name": "report", "http": {"url": "https://example.com/${run.phase}"}, "after": ["sweep"]},
    ],
    finallyDeadline="30m",
    skipFinally=False,
    inputs=ANY_VALUES,
    inputSchema=SCHEMA,
    outputs=ANY_VALUES,
    outputSchema=SCHEMA,
    defaults={
        "timeout": "10m",
        "queueTimeout": "10m",
        "retry": {"limit": 2},
        "agent": {
            "model": {"provider": "default", "name": "m"},
            "instructions": "Be brief.",
            "settings": {"temperature": 0},
            "limits": {"requests": 3},
            "reasks": 1,
        },
    },
    budget={"tokens": 1000, "costUSD": "2.50", "toolCalls": 10},
    parallelism=200,
    deadline="168h",
    suspend=False,
    cancel=False,
    ttlSecondsAfterFinished=0,
)

TEMPLATE: Manifest = {
    key: value
    for key, value in EVERYTHING["spec"].items()
    if key not in ("inputs", "cancel", "skipFinally", "rerun", "ttlSecondsAfterFinished")
}
ACCEPTED = [
    row(
        "local-templates",
        workflow(
            nodes=[{"name": "call", "workflow": {"template": "part"}}],
            templates=[
                {
                    "name": "part",
                    "inputSchema": {"type": "object"},
                    "nodes": [node(anything=ANY_VALUES), {"name": 3}],
                    "finally": [node("last", timeout="whenever")],
                    "finallyDeadline": "1m",
                    "outputs": ANY_VALUES,
                    "outputSchema": {},
                    "parallelism": 3,
                },
                {"name": "other", "nodes": [node()]},
            ],
        ),
        "nodes of local templates are stored to the last field; the operator checks them",
    ),
    row(
        "run-of-a-template",
        run_of(
            inputs=ANY_VALUES,
            suspend=True,
            cancel=False,
            deadline="1h",
            budget={"tokens": 1},
            rerun={"round": 2, "template": "Latest"},
            ttlSecondsAfterFinished=60,
        ),
        "all that may stand beside templateRef",
    ),
    row(
        "template-with-everything",
        template(*TEMPLATE.pop("nodes"), **TEMPLATE, description="Reviews."),
        "no field is pruned, no null inside a value is lost",
    ),
    row(
        "most-nodes-of-a-template",
        template(*[node(f"n{i}") for i in range(200)]),
        "200 nodes, within the budget",
    ),
    row(
        "record-of-a-definition",
        definition({"nodes": [node()]}),
        "it belongs to the run, not to an attempt",
    ),
    row("smallest", workflow(), "one node with a kind is a workflow"),
    row("everything", EVERYTHING, "no field is pruned, no null inside a value is lost"),
    row("longest-name", workflow(name="r" * 253), "any name the API server takes"),
    row("longest-node-name", workflow(node("n" * 40)), "40 characters"),
    row("one-letter-name", workflow(node("n")), "a letter is a name"),
    row(
        "most-nodes", workflow(*[node(f"n{i}") for i in range(200)]), "200 nodes, within the budget"
    ),
    row(
        "most-nodes-with-finally",
        workflow(*[node(f"n{i}") for i in range(180)], finally_=[node(f"f{i}") for i in range(20)]),
        "180 nodes and 20 in finally, within the budget",
    ),
    row(
        "finally-skipped",
        workflow(finally_=[node("sweep")], cancel=True, skipFinally=True),
        "as a person leaves a cancelled run",
    ),
    row("cel-word-inside", workflow(node("input"), node("null_1")), "only whole words are refused"),
    row("cel-reserved", workflow(node("while")), "nodes.while.output is an expression"),
    row(
        "until", workflow(pause(wait={"until": "${inputs.at}"})), "an expression is not a time yet"
    ),
    row("wait-zero", workflow(pause(wait={"duration": "0s"})), "no wait is a wait"),
    row("retry-not-never", workflow(node(retry={"never": False, "limit": 3})), "no contradiction"),
    row(
        "groups-count",
        workflow(gate(approval={"approvers": {"groups": ["sre"], "required": 20}})),
        "how many are in a group is not known",
    ),
    row(
        "everyone",
        workflow(gate(approval={"approvers": {"users": ["ann", "bob"], "required": 2}})),
        "all of them is not too many",
    ),
    row("fallback-null", workflow(node(onFailure="Continue", fallbackOutput=None)), "null is one"),
    row("empty-values", workflow(node(inputs={}, dependsOn=[], after=[])), "empty is not missing"),
    row(
        "env-like-ours", workflow(container(env=[{"name": "MY_WAYPOST_X", "value": "1"}])), "prefix"
    ),
    row(
        "quantities",
        workflow(container(resources={"limits": {"cpu": "0.5", "memory": "1.5Gi", "n": "1e3"}})),
        "as in core/v1",
    ),
    row(
        "remembers",
        workflow(
            node("a", remember={"facts": [{"text": "${self.output.n}"}], "review": "Automatic"}),
            agent(memory={"inject": "None", "tools": ["recall"]}) | {"remember": {"facts": []}},
            memory={"key": "k", "review": "Required", "factSchema": {"type": "object"}},
            rerun={"round": 2, "memory": "Refresh"},
        ),
        "facts are any value until they are evaluated",
    ),
    row(
        "rerun",
        workflow(
            node("a"),
            node("b"),
            rerun={"round": 2, "from": ["a"], "outputs": {"b": None}, "skip": []},
        ),
        "a round may be asked for from the start",
    ),
    row("question", approval(), "as the operator creates it"),
    row(
        "question-full",
        approval(
            answerSchema=SCHEMA,
            expiresAt="2026-11-24T03:10:00Z",
            approvers={"users": ["a"], "groups": ["b"], "required": 2},
        ),
        "as the operator creates it",
    ),
    row("record", record(data=ANY_VALUES), "any object"),
    row("record-of-a-scalar", record(data=False), "any value"),
    row("record-of-null", record(data=None), "null is a value"),
    row("record-of-a-list", record(data=[None, 1]), "any value"),
    row(
        "exit-codes",
        workflow(container() | {"retry": {"limit": 1, "exitCodes": {"retry": [1, 75, 255]}}}),
        "S49",
    ),
    row(
        "default-resources",
        workflow(defaults={"resources": {"limits": {"ephemeral-storage": "4Gi", "cpu": 2}}}),
        "S92",
    ),
    row("isolation", workflow(node(isolation=ISOLATION)), "S370: each field"),
    row(
        "volume-claims",
        workflow(
            node(
                isolation={
                    "volumes": [{"name": "v", "mountPath": "/v", "volumeClaim": "work"}],
                }
            ),
            volumeClaims=[
                {
                    "name": "work",
                    "accessModes": ["ReadWriteOnce"],
                    "storage": "1Gi",
                    "storageClassName": "fast",
                },
                {"name": "more", "storage": 1024},
            ],
        ),
        "S708: each field",
    ),
    row("default-isolation", workflow(defaults={"isolation": ISOLATION}), "S370"),
    row(
        "as-many-dependencies-as-nodes",
        workflow(
            *[node(f"n{i}") for i in range(199)],
            node("last", dependsOn=[f"n{i}" for i in range(199)]),
        ),
        "a node may depend on all others",
    ),
    row(
        "map",
        workflow(node(forEach={"items": "${[1]}", "maxParallel": 100, "tolerate": "10%"})),
        "S170: tolerate as a percentage",
    ),
    row("map-of-which-no-item-may-fail", workflow(node(forEach={"items": "${[1]}"})), "S174"),
    row(
        "map-of-child-runs",
        workflow(
            {
                "name": "a",
                "workflow": {"templateRef": {"name": "t"}},
                "forEach": {"items": "${[1]}"},
            }
        ),
        "S410",
    ),
    row("rerun-of-an-item", workflow(rerun={"round": 2, "from": ["scan/0", "scan/999"]}), "S160"),
    row(
        "map-of-agents",
        workflow(
            {
                "name": "ask",
                "agent": {"model": {"provider": "main", "name": "m"}, "prompt": "${item}"},
                "forEach": {"items": "${[1]}"},
            }
        ),
        "S186",
    ),
    row("map-with-a-count", workflow(node(forEach={"items": "${[1]}", "tolerate": 2})), "S174"),
    row("computed-wait", workflow(pause(wait={"duration": "${inputs.n}s"})), "S76"),
    row("record-compressed", kept(compressed="H4sI"), "gzip and base64"),
    row("record-compressed-most", kept(compressed="A" * 1_400_000), "etcd takes 1.5 MiB"),
    row("record-in-the-object-store", kept(object="wp/u/a/1-1-result"), "only its key"),
    *[row(f"record-{type_}", record(type=type_), "of any type") for type_ in get_args(RecordType)],
]
