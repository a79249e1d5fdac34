"""Kinds of nodes that the API server refuses, and what kubectl then prints."""

from typing import Any

import pytest

from tests.crds.manifests import PYTHON, Manifest, agent, node, request, workflow


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


KINDS = [
    row(
        "model-by-name-alone",
        workflow(agent(model="m")),
        'spec.nodes[0].agent.model: Invalid value: "string"',
    ),
    row(
        "model-and-models",
        workflow(agent(models=[{"provider": "p", "name": "m"}])),
        "both model and models are set; keep one of them: models lists the models to try",
    ),
    row(
        "model-and-models-of-defaults",
        workflow(
            agent(),
            defaults={
                "agent": {
                    "model": {"provider": "p", "name": "m"},
                    "models": [{"provider": "p", "name": "m"}],
                }
            },
        ),
        "both model and models are set; keep one of them: models lists the models to try",
    ),
    row(
        "workflow-with-fields-of-attempts",
        workflow(
            {
                "name": "a",
                "workflow": {"templateRef": {"name": "t"}},
                "timeout": "1m",
                "effect": "none",
            }
        ),
        "node a is a workflow node, but sets timeout, effect; set these fields on the nodes of the "
        "template. To limit the time, use deadline",
    ),
    row("no-models", workflow(agent(model=None, models=[])), "agent.models: Invalid value"),
    row("agent-without-prompt", workflow(agent(prompt=None)), "agent.prompt: Required value"),
    row(
        "tools-of-nobody",
        workflow(agent(tools=[{"allow": ["search"]}])),
        "neither server nor module is set; set server to a ToolServer, or module to a Python",
    ),
    row(
        "tools-of-two",
        workflow(agent(tools=[{"server": "s", "allow": ["a"], "module": "m", "functions": ["f"]}])),
        "both server and module are set; write one entry for each",
    ),
    row(
        "server-without-allow",
        workflow(agent(tools=[{"server": "runbooks"}])),
        "allow is missing; list the tools of server runbooks that may be called",
    ),
    row(
        "module-without-functions",
        workflow(agent(tools=[{"module": "texts"}])),
        "functions is missing; list the functions of module texts that may be called",
    ),
    row(
        "allow-for-a-module",
        workflow(agent(tools=[{"module": "m", "functions": ["f"], "allow": ["f"]}])),
        "allow is only used with server; list the functions of a module in functions",
    ),
    row(
        "functions-of-a-server",
        workflow(agent(tools=[{"server": "s", "allow": ["a"], "functions": ["a"]}])),
        "functions is only used with module; list the tools of a server in allow",
    ),
    row(
        "cost-as-a-number",
        workflow(agent(limits={"costUSD": 0.5})),
        "agent.limits.costUSD: Invalid value",
    ),
    row("budget-of-nothing", workflow(budget={"tokens": 0}), "spec.budget.tokens: Invalid value"),
    row(
        "python-without-code",
        workflow({"name": "a", "python": {"env": []}}),
        "neither source nor function is set; set source to Python code, or function to",
    ),
    row(
        "python-twice",
        workflow(node(python=PYTHON | {"function": "m:run"})),
        "both source and function are set; keep one of them",
    ),
    row(
        "function-without-module",
        workflow(node(python={"function": "run"})),
        "spec.nodes[0].python.function: Invalid value",
    ),
    row("unknown-method", workflow(request(method="FETCH")), "Unsupported value", "FETCH"),
    row(
        "header-without-value",
        workflow(request(headers=[{"name": "X-A"}])),
        "Required value: X-A has neither value nor valueFrom; set one of them",
    ),
    row(
        "header-twice",
        workflow(request(headers=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])),
        "spec.nodes[0].http.headers[1]: Duplicate value",
    ),
    row(
        "auth-of-no-kind",
        workflow(request(auth={})),
        "neither bearer nor basic is set; set one of them or remove auth",
    ),
    row(
        "auth-of-two-kinds",
        workflow(request(auth={"bearer": {"name": "s", "key": "k"}, "basic": {"name": "s"}})),
        "both bearer and basic are set; keep one of them",
    ),
    row(
        "first-of-one",
        workflow(node("a"), {"name": "b", "first": {"of": ["a"]}}),
        "spec.nodes[1].first.of",
    ),
    row(
        "first-of-too-many",
        workflow({"name": "b", "first": {"of": [f"n{at}" for at in range(21)]}}),
        "spec.nodes[0].first.of",
    ),
    row(
        "first-of-one-twice",
        workflow(node("a"), {"name": "b", "first": {"of": ["a", "a"]}}),
        "spec.nodes[1].first.of",
    ),
    row(
        "first-with-a-timeout",
        workflow(node("a"), node("b"), {"name": "c", "first": {"of": ["a", "b"]}, "timeout": "1m"}),
        "node c has no pod, but sets timeout",
        "or a wait node among the candidates of first",
    ),
    row(
        "first-with-other-others",
        workflow(
            node("a"), node("b"), {"name": "c", "first": {"of": ["a", "b"], "others": "Kill"}}
        ),
        "spec.nodes[2].first.others: Unsupported value",
    ),
]
