"""Kind `workflow`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import AgentLimits
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.calls import body_of_local
from waypost.compiler.kinds.kind import CompilerKind, wire
from waypost.compiler.problems import Problem, did_you_mean

# Fields of a local template that do not determine its result.
_HOW: Final = ("parallelism", "finallyDeadline")


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    assert node.workflow is not None
    name, reference = node.workflow.template, node.workflow.template_ref
    if (name is None) == (reference is None):
        yield Problem(f"{node.place}.workflow", "expected exactly one of template, templateRef")
    if name is None:
        return
    known = [local.name for local in spec.templates or ()]
    if name not in known:
        listed = f"; templates: {', '.join(known)}" if known else ""
        hint = did_you_mean(name, known) or listed
        text = f"there is no local template {name!r}{hint}"
        if not known:
            text = f"{text}; add it to templates, or name an AgentWorkflowTemplate in templateRef"
        yield Problem(f"{node.place}.workflow.template", text)


def _local_template(spec: AgentWorkflowSpec, node: Node) -> JsonObject | None:
    """What the child run takes from a local template, which a round can change. Of an
    AgentWorkflowTemplate it keeps the version with which it started."""
    if node.workflow is None or node.workflow.template is None:
        return None
    fields = {
        "templates": [wire(local) for local in spec.templates or ()],
        "schemas": spec.schemas,
        "modules": spec.modules,
    }
    body = body_of_local(fields, node.workflow.template) or {}
    agent = spec.defaults.agent if spec.defaults is not None else None
    shared = {"agent": wire(agent)} if agent is not None else {}
    return {key: body[key] for key in body if key not in _HOW} | shared


def _limits(spec: AgentWorkflowSpec, node: Node) -> AgentLimits:
    """A child run has no limits of its node: it gets a share of the budget of the run."""
    return AgentLimits()


KIND: Final = CompilerKind(
    "workflow", problems=_problems, fingerprinted_template=_local_template, limits=_limits
)
