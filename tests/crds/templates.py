"""Runs of templates, and templates: what the API server refuses, and what may change."""

from tests.crds.manifests import Manifest, node, run_of, template, workflow
from tests.crds.refused_kinds import row as refused
from tests.crds.transitions import add, judged, remove, replace, row, spec, status

# Each field that a run of a template cannot have, with a valid value.
BESIDE_A_TEMPLATE: Manifest = {
    "inputSchema": {"type": "object"},
    "schemas": {"A": {"type": "string"}},
    "modules": {"m": "X = 1"},
    "outputs": {"o": 1},
    "outputSchema": {"type": "object"},
    "defaults": {"timeout": "1m"},
    "parallelism": 3,
    "finally": [node()],
    "finallyDeadline": "1m",
    "templates": [{"name": "part", "nodes": [node()]}],
    "concurrency": {"key": "x", "limit": 1},
    "memory": {"key": "x"},
    "volumeClaims": [{"name": "work", "storage": "1Gi"}],
}
CALL: Manifest = {"name": "call", "workflow": {"template": "part"}}


def with_local(*templates: Manifest, call: Manifest = CALL) -> Manifest:
    """A run with local templates."""
    return workflow(nodes=[call], templates=list(templates))


REFUSED = [
    refused(
        "neither-nodes-nor-template",
        workflow() | {"spec": {"inputs": {}}},
        "spec: Required value: neither nodes nor templateRef is set; write the nodes of the run, "
        "or name an AgentWorkflowTemplate in templateRef",
    ),
    refused(
        "nodes-beside-a-template",
        run_of(nodes=[node()]),
        "spec.nodes: Forbidden: nodes stands in the template; a run of a template has only inputs, "
        "suspend, cancel, skipFinally, scheduledAt, rerun, ttlSecondsAfterFinished, budget and "
        "deadline. Remove nodes or templateRef",
    ),
    *(
        refused(
            f"{field}-beside-a-template",
            run_of("review", **{field: value}),
            f"spec.{field}: Forbidden: {field} stands in the template; a run of a template has "
            "only inputs, suspend, cancel, skipFinally, scheduledAt, rerun, "
            "ttlSecondsAfterFinished, budget and deadline. "
            f"Remove {field}, or write the nodes into this run",
        )
        for field, value in BESIDE_A_TEMPLATE.items()
    ),
    refused(
        "latest-without-a-template",
        workflow(rerun={"round": 2, "template": "Latest"}),
        "spec.rerun: Forbidden: rerun.template is only used with templateRef; remove it",
    ),
    refused(
        "template-name-as-an-expression",
        run_of("${inputs.x}"),
        "spec.templateRef.name: Forbidden: ${inputs.x} is not the name of an object; use lower "
        "case letters, digits, hyphens and dots. The name is fixed before the run starts: ${...} "
        "is not evaluated in this field",
    ),
    refused(
        "template-without-name",
        run_of() | {"spec": {"templateRef": {}}},
        "spec.templateRef.name: Required value",
    ),
    refused(
        "local-template-without-nodes",
        with_local({"name": "part"}),
        "spec.templates[0].nodes: Required value",
    ),
    refused(
        "local-template-with-a-field-of-a-run",
        with_local({"name": "part", "nodes": [node()], "inputs": {}}),
        'unknown field "spec.templates[0].inputs"',
    ),
    refused(
        "local-templates-of-one-name",
        with_local({"name": "part", "nodes": [node()]}, {"name": "part", "nodes": [node()]}),
        'spec.templates[1]: Duplicate value: {"name":"part"}',
    ),
    refused(
        "name-of-a-local-template",
        with_local({"name": "My_Part", "nodes": [node()]}),
        "spec.templates[0].name: Forbidden: My_Part is not the name of a local template",
    ),
    refused(
        "too-many-local-templates",
        with_local(*({"name": f"p{n}", "nodes": [node()]} for n in range(11))),
        "spec.templates: Too many: 11: must have at most 10 items",
    ),
    refused(
        "finally-deadline-without-finally-in-a-local-template",
        with_local({"name": "part", "nodes": [node()], "finallyDeadline": "1m"}),
        "finallyDeadline is only used with finally",
    ),
    refused(
        "both-kinds-of-template",
        with_local(call={"name": "c", "workflow": {"template": "a", "templateRef": {"name": "a"}}}),
        "spec.nodes[0].workflow: Forbidden: both template and templateRef are set",
    ),
    refused(
        "neither-kind-of-template",
        with_local(call={"name": "c", "workflow": {}}),
        "spec.nodes[0].workflow: Required value: neither template nor templateRef is set; set "
        "template to a name in spec.templates, or templateRef to an AgentWorkflowTemplate",
    ),
    refused("template-without-nodes", template() | {"spec": {}}, "spec.nodes: Required value"),
    refused("inputs-in-a-template", template(inputs={}), 'unknown field "spec.inputs"'),
    refused("cancel-in-a-template", template(cancel=True), 'unknown field "spec.cancel"'),
    refused(
        "template-deadline-zero",
        template(deadline="0s"),
        "spec.deadline: Forbidden: deadline must be greater than zero",
    ),
    refused(
        "two-kinds-in-a-template",
        template(node(wait={"duration": "1m"})),
        "spec.nodes[0]: Forbidden: node gather has the kinds python, wait; keep one of them and "
        "move the others to new nodes",
    ),
]

PIN = {"name": "review", "uid": "u", "generation": 1, "digest": "sha256:1", "record": "r"}
PINNED = judged("True", round=1, template=PIN)
OF_TEMPLATE = run_of(inputs={"n": 1})

TRANSITIONS = [
    row("template-run-not-judged-yet", OF_TEMPLATE, None, spec(templateRef={"name": "other"})),
    row(
        "other-template",
        OF_TEMPLATE,
        PINNED,
        spec(templateRef={"name": "other"}),
        "found a change of templateRef; only",
    ),
    row(
        "other-template-in-a-round",
        OF_TEMPLATE,
        PINNED,
        spec(templateRef={"name": "other"}, rerun={"round": 2}),
    ),
    row("latest-in-a-round", OF_TEMPLATE, PINNED, spec(rerun={"round": 2, "template": "Latest"})),
    row(
        "own-nodes-in-a-round",
        OF_TEMPLATE,
        PINNED,
        spec(templateRef=None, nodes=[node()], rerun={"round": 2}),
    ),
    row(
        "pin-changed",
        OF_TEMPLATE,
        PINNED,
        status(replace("/status/template/digest", "sha256:2")),
        "the run is pinned to a version of its template; this can change only in a new round",
    ),
    row(
        "pin-removed",
        OF_TEMPLATE,
        PINNED,
        status(remove("/status/template")),
        "the run is pinned to a version of its template",
    ),
    row(
        "pin-changed-in-a-round",
        OF_TEMPLATE,
        PINNED,
        status(replace("/status/template/digest", "sha256:2"), add("/status/round", 2)),
    ),
    row(
        "template-edited",
        template(),
        None,
        spec(nodes=[node("other")], suspend=True),
    ),
]
