"""Manifests whose finally the API server refuses."""

from tests.crds.manifests import node, workflow
from tests.crds.refused_kinds import row

FINALLY = [
    row(
        "finally-deadline-zero",
        workflow(finally_=[node("sweep")], finallyDeadline="0s"),
        "spec.finallyDeadline: Forbidden: finallyDeadline must be greater than zero",
    ),
    row(
        "finally-deadline-without-finally",
        workflow(finallyDeadline="1m"),
        "spec.finallyDeadline: Forbidden: finallyDeadline is only used with finally and compensate",
    ),
    row(
        "skip-finally-without-cancel",
        workflow(finally_=[node("sweep")], skipFinally=True),
        "spec.skipFinally: Forbidden: skipFinally: true is only used with cancel: true; set both",
    ),
    row(
        "skip-finally-without-finally",
        workflow(cancel=True, skipFinally=True),
        "spec.skipFinally: Forbidden: skipFinally is only used with finally and compensate",
    ),
    row(
        "finally-21",
        workflow(finally_=[node(f"f{i}") for i in range(21)]),
        "spec.finally: Too many: 21: must have at most 20 items",
    ),
    row(
        "finally-beyond-200",
        workflow(*[node(f"n{i}") for i in range(200)], finally_=[node("sweep")]),
        "spec.finally: Forbidden: a run has at most 200 nodes, those in finally included; remove",
    ),
    row(
        "finally-pauses",
        workflow(finally_=[node("sweep", onFailure="Pause")]),
        "spec.finally[0].onFailure: Forbidden: node sweep in finally sets onFailure: Pause, but a "
        "clean-up waits for nobody",
    ),
    row(
        "finally-of-no-kind",
        workflow(finally_=[{"name": "sweep"}]),
        "spec.finally[0]: Required value: node sweep has no kind; set exactly one of python, "
        "container, agent, http",
    ),
    row(
        "compensate-of-no-kind",
        workflow(node("book", compensate={})),
        "spec.nodes[0].compensate: Required value: compensate has no kind; set exactly one of "
        "python, container, http, workflow",
    ),
    row(
        "compensate-of-two-kinds",
        workflow(
            node(
                "book", compensate={"python": {"source": "x"}, "http": {"url": "https://x.example"}}
            )
        ),
        "spec.nodes[0].compensate: Forbidden: compensate has the kinds python, http; keep one",
    ),
    row(
        "compensate-of-zero-seconds",
        workflow(node("book", compensate={"python": {"source": "x"}, "timeout": "0s"})),
        "spec.nodes[0].compensate.timeout: Forbidden: timeout must be greater than zero",
    ),
    row(
        "compensate-by-a-child-run-with-retry",
        workflow(
            node(
                "book",
                compensate={"workflow": {"templateRef": {"name": "undo"}}, "retry": {"limit": 2}},
            )
        ),
        "spec.nodes[0].compensate: Forbidden: compensate is a workflow, but sets retry; set these "
        "fields on the nodes of the template",
    ),
    row(
        "compensate-by-a-child-run-of-no-template",
        workflow(node("book", compensate={"workflow": {}})),
        "spec.nodes[0].compensate.workflow: Required value: neither template nor templateRef is",
    ),
    row(
        "compensated-wait",
        workflow(
            {"name": "pause", "wait": {"duration": "1s"}, "compensate": {"python": {"source": "x"}}}
        ),
        "spec.nodes[0].compensate: Forbidden: node pause has compensate, which only python, "
        "container, agent, http, workflow nodes",
    ),
]
