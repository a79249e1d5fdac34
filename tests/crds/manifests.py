"""Small manifests for the tables: each row says only what it is about."""

from typing import Any

PYTHON = {"source": "def run():\n    return 1\n"}
IMAGE = "registry.example/tool:1.0"
Manifest = dict[str, Any]


def workflow(*nodes: Manifest, name: str = "sample", **spec: Any) -> Manifest:
    """An AgentWorkflow of `nodes`; with none of them, of one python node."""
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {"name": name},
        "spec": {"nodes": list(nodes) or [node()], **written(spec)},
    }


def written(fields: Manifest) -> Manifest:
    """Fields with the names of a manifest; `finally_` is `finally`, a word of Python."""
    return {name.removesuffix("_"): value for name, value in fields.items()}


def run_of(name: str = "review", **spec: Any) -> Manifest:
    """An AgentWorkflow that runs a template."""
    made = workflow(templateRef={"name": name}, **spec)
    if "nodes" not in spec:
        del made["spec"]["nodes"]
    return made


def template(*nodes: Manifest, **spec: Any) -> Manifest:
    """An AgentWorkflowTemplate of `nodes`; with none of them, of one python node."""
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflowTemplate",
        "metadata": {"name": "review"},
        "spec": {"nodes": list(nodes) or [node()], **spec},
    }


def node(name: str = "gather", **fields: Any) -> Manifest:
    """A python node."""
    return {"name": name, "python": PYTHON, **fields}


def container(name: str = "publish", **fields: Any) -> Manifest:
    """A container node; `fields` belong to its container block."""
    return {"name": name, "container": {"image": IMAGE, **fields}}


def agent(name: str = "think", **fields: Any) -> Manifest:
    """An agent node; `fields` belong to its agent block."""
    model = {"provider": "default", "name": "gpt-5-mini"}
    return {"name": name, "agent": {"model": model, "prompt": "Think.", **fields}}


def request(name: str = "fetch", **fields: Any) -> Manifest:
    """An http node; `fields` belong to its http block."""
    return {"name": name, "http": {"url": "https://example.com/", **fields}}


def gate(name: str = "review", approval: Manifest | None = None, **fields: Any) -> Manifest:
    """An approval node that asks one group; `approval` changes the block."""
    asked = {"message": "Publish?", "approvers": {"groups": ["sre"]}}
    return {"name": name, "approval": {**asked, **(approval or {})}, **fields}


def pause(name: str = "pause", **fields: Any) -> Manifest:
    """A wait node."""
    return {"name": name, "wait": {"duration": "10m"}, **fields}


def approval(name: str = "sample-review-1-7c1f", **spec: Any) -> Manifest:
    """An Approval as the operator creates it."""
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "Approval",
        "metadata": {"name": name},
        "spec": {
            "run": "sample",
            "path": "review",
            "subject": "gate",
            "message": "Publish?",
            "context": {"diff": {"lines": 3, "old": None}},
            "approvers": {"users": ["ann", "bob"]},
            "requestDigest": "sha256:00",
            **spec,
        },
    }


def record(name: str = "sample-gather-1-7c1f", **spec: Any) -> Manifest:
    """A NodeRecord as the operator creates it."""
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "NodeRecord",
        "metadata": {"name": name},
        "spec": {
            "run": "sample",
            "runUid": "3d6f1c6a-3f0e-4f57-9a55-6b0a0a4f2f01",
            "path": "gather",
            "round": 1,
            "attempt": 1,
            "type": "Result",
            "digest": "sha256:00",
            "size": 2,
            "data": {},
            **spec,
        },
    }


def definition(value: Manifest) -> Manifest:
    """A NodeRecord with the definition of a run."""
    made = record(type="Definition", data=value)
    for field in ("path", "round", "attempt"):
        del made["spec"][field]
    return made


def kept(**form: Any) -> Manifest:
    """A NodeRecord whose payload is only in the given form."""
    made = record(**form)
    made["spec"] = {k: v for k, v in made["spec"].items() if k != "data" or k in form}
    return made
