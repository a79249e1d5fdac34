"""Runs are linted with the templates among the files (S100, S101)."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from waypost.cli.lint.linter import lint
from waypost.cli.lint.manifests import Document, documents
from waypost.cli.lint.templates import Templates, not_among

from tests.support.builders import python, spec

BODY = spec(
    python("a", source="def run(n): return n\n", inputs={"n": "${inputs.n}"}),
    inputSchema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
)
RUN = {"templateRef": {"name": "t"}, "inputs": {"n": 1}}


def manifest(kind: str, name: str, spec: Any, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def template(spec: Any = None, name: str = "t", namespace: str = "") -> dict[str, Any]:
    return manifest("AgentWorkflowTemplate", name, BODY if spec is None else spec, namespace)


def run(spec: Any = None, namespace: str = "") -> dict[str, Any]:
    return manifest("AgentWorkflow", "r", RUN if spec is None else spec, namespace)


def findings(*objects: Mapping[str, Any]) -> list[str]:
    """What lint says about the runs among these objects."""
    text = "---\n".join(yaml.safe_dump(one, default_style='"') for one in objects)
    found: list[Document] = list(documents(text.replace('!!int "1"', "1")))
    known = Templates(document.value for document in found)
    return [
        f"{one.severity}: {one.field}: {one.message}"
        for document in found
        for one in lint("x", document, known)
        if one.kind == "AgentWorkflow"
    ]


NOT_THERE = (
    "warning: templateRef.name: template t is not among the files: inputs and outputs are not "
    "checked"
)
CALL = spec({"name": "c", "workflow": {"templateRef": {"name": "t"}}, "inputs": {"n": "x"}})
IN_LOCAL = spec(
    {"name": "l", "workflow": {"template": "part"}},
    templates=[{"name": "part", "nodes": CALL["nodes"]}],
)
UNCHECKED = "template t is not among the files: inputs and outputs of c are not checked"
TAKES = "inputSchema of template t takes integer, found 'x' (string)"
CIRCLE = spec({"name": "c", "workflow": {"templateRef": {"name": "t"}}})
TABLE = [
    pytest.param(
        [run(CALL), template()],
        [f"error: nodes.c.inputs.n: {TAKES}"],
        id="S346-the-template-of-a-node",
    ),
    pytest.param(
        [run(CALL)],
        [f"warning: nodes.c.workflow.templateRef.name: {UNCHECKED}"],
        id="S349-the-template-of-a-node-is-not-there",
    ),
    pytest.param(
        [run(IN_LOCAL), template()],
        [f"error: templates.part.nodes.c.inputs.n: {TAKES}"],
        id="S346-in-a-local-template",
    ),
    pytest.param(
        [run(IN_LOCAL)],
        [f"warning: templates.part.nodes.c.workflow.templateRef.name: {UNCHECKED}"],
        id="S349-in-a-local-template",
    ),
    pytest.param(
        [run(CALL, namespace="a"), template(namespace="b")],
        [f"warning: nodes.c.workflow.templateRef.name: {UNCHECKED}"],
        id="S349-namespaces-of-calls",
    ),
    pytest.param(
        [run(CIRCLE), template(CIRCLE)],
        [
            "error: nodes.c.workflow.templateRef.name: template t calls itself: t -> t; end the "
            "recursion"
        ],
        id="S348-recursion",
    ),
    pytest.param([run(), template()], [], id="clean-in-any-order"),
    pytest.param([run()], [NOT_THERE], id="not-among-the-files"),
    pytest.param([run(), template(name="other")], [NOT_THERE], id="another-name"),
    pytest.param([run(namespace="a"), template(namespace="b")], [NOT_THERE], id="namespaces"),
    pytest.param([run(namespace="a"), template()], [], id="a-file-without-a-namespace-fits"),
    pytest.param(
        [
            run({**RUN, "inputs": {}}, namespace="a"),
            template(spec(python("a"))),
            template(namespace="a"),
        ],
        ["error: inputs"],
        id="the-same-namespace-first",
    ),
    pytest.param(
        [run({**RUN, "defaults": {"timeout": "1m"}}), template()],
        [
            "error: defaults: defaults stands in the template; a run of a template has only "
            "inputs, suspend, cancel, skipFinally, scheduledAt, rerun, ttlSecondsAfterFinished, "
            "budget and deadline. Remove defaults, or write the nodes into this run"
        ],
        id="refused-field-once",
    ),
    pytest.param(
        [run(), template(spec(python("a", dependsOn=["b"])))],
        ["error: templateRef.name: template t is not valid; correct it"],
        id="its-problems-are-reported-at-the-template",
    ),
]


@pytest.mark.parametrize(("objects", "expected"), TABLE)
def test_runs_with_templates(objects: list[dict[str, Any]], expected: list[str]) -> None:
    found = findings(*objects)
    assert len(found) == len(expected)
    assert all(one.startswith(says) for one, says in zip(found, expected, strict=True)), found


def test_a_misspelt_template_is_answered_with_the_one_that_is_there() -> None:
    said = not_among("reprot", ["report", "triage"], "inputs")
    assert said == (
        "template reprot is not among the files: inputs are not checked; did you mean 'report'?"
    )


def test_a_template_is_linted_like_a_run() -> None:
    text = yaml.safe_dump(template(spec(python("a", dependsOn=["b"]))))
    (document,) = documents(text)
    (finding,) = lint("x", document)
    assert (finding.field, finding.message) == (
        "nodes.a.dependsOn",
        "there is no node 'b'; nodes: a",
    )


def source(name: str = "github", **inputs: Any) -> dict[str, Any]:
    start = {"templateRef": {"name": "t"}, "inputs": inputs}
    secret = {"name": "hook", "key": "secret"}
    auth = {"hmac": {"preset": "GitHub", "secrets": [secret]}}
    return manifest("EventSource", name, {"auth": auth, "rules": [{"start": start}]})


STARTS = [
    pytest.param(source(n="${body.n}"), {**BODY, "triggers": [{"eventSource": "github"}]}, []),
    pytest.param(
        source(n="${body.n}"),
        BODY,
        [
            "error: rules[0].start.templateRef.name: template t does not list this source; add "
            "{eventSource: github} to its spec.triggers"
        ],
    ),
    pytest.param(
        source(),
        {**BODY, "triggers": [{"eventSource": "github"}]},
        ["error: rules[0].start.inputs: template t requires the input 'n'"],
    ),
    pytest.param(
        source(n=1),
        None,
        [
            "warning: rules[0].start.templateRef.name: template t is not among the files: its "
            "triggers and inputs are not checked"
        ],
    ),
]


@pytest.mark.parametrize(("one", "body", "expected"), STARTS)
def test_what_a_source_starts(one: Any, body: Any, expected: list[str]) -> None:
    """S599: before anything is applied."""
    others = [] if body is None else [template(body)]
    text = "---\n".join(yaml.safe_dump(each, default_style='"') for each in (one, *others))
    found = list(documents(text.replace('!!int "1"', "1")))
    known = Templates(document.value for document in found)
    reported = [
        f"{each.severity}: {each.field}: {each.message}"
        for document in found
        for each in lint("x", document, known)
        if each.kind == "EventSource"
    ]
    assert reported == expected
