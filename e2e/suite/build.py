"""Workflows as the tests write them: `workflow("name").python("a", "return 1").manifest()`."""

from textwrap import dedent, indent
from typing import Any, Self

Obj = dict[str, Any]

QUICK = {"timeout": "60s", "queueTimeout": "60s"}


class Workflow:
    """An AgentWorkflow being put together; fields of nodes and spec are spelled as on the wire."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Obj] = []
        self.spec: Obj = {"defaults": dict(QUICK)}

    def having(self, **spec: Any) -> Self:
        """Fields of the spec beside nodes: inputs, outputs, parallelism, suspend, ..."""
        self.spec |= spec
        return self

    def python(
        self, name: str, body: str, *, takes: str = "", kind: Obj | None = None, **fields: Any
    ) -> Self:
        """A python node: `body` is the body of run(takes), or the whole source with its def."""
        source = dedent(body)
        if "def run(" not in source:
            names = takes or ", ".join(fields.get("inputs", {}))
            source = f"def run({names}):\n{indent(source.strip(), '    ')}\n"
        return self.node(name, python={"source": source, **(kind or {})}, **fields)

    def container(self, name: str, image: str, script: str, **fields: Any) -> Self:
        """A container node that runs a Python script of an image; `kind` adds to its block."""
        block = {"image": image, "command": ["python3", "-c", dedent(script)]}
        return self.node(name, container={**block, **fields.pop("kind", {})}, **fields)

    def approval(self, name: str, *, gate: Obj | None = None, **fields: Any) -> Self:
        """A gate that user ann may answer."""
        block = {"message": f"{name}?", "approvers": {"users": ["ann"]}, **(gate or {})}
        return self.node(name, approval=block, **fields)

    def wait(self, name: str, duration: str, **fields: Any) -> Self:
        """A wait without a pod."""
        return self.node(name, wait={"duration": duration}, **fields)

    def node(self, name: str, **fields: Any) -> Self:
        """Any node."""
        self.nodes.append({"name": name, **fields})
        return self

    def manifest(self) -> Obj:
        """The object to create."""
        return {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "metadata": {"name": self.name},
            "spec": {**self.spec, "nodes": self.nodes},
        }


def workflow(name: str) -> Workflow:
    """An empty workflow whose nodes have a minute to start and a minute to run."""
    return Workflow(name)


def schema(**types: str) -> Obj:
    """Schema of an object with these properties, all required."""
    properties = {name: {"type": type_} for name, type_ in types.items()}
    return {"type": "object", "required": list(types), "properties": properties}
