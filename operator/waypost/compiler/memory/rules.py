"""Rules for `spec.memory`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject, parse_duration
from waypost.api.memory.model import Inject, Review
from waypost.api.modifiers.memory import MAX_EXPIRY, key_problem
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.memory.marks import mark_problems
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import scoped_in
from waypost.expressions.templates import Template, parse_template, paths_in, references_in
from waypost.kube.objects import section, text

_NO_BLOCK: Final = "this run has no memory block; add memory: {key: ...}"


def memory_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report keys that can never be used, and entries that would be kept for too long."""
    yield from _fact_problems(spec)
    yield from mark_problems(spec)
    memory = spec.memory
    if memory is None:
        if spec.rerun is not None and spec.rerun.memory is not None:
            yield Problem("rerun.memory", _NO_BLOCK)
        return
    place = "memory.key"
    if any(references_in(memory.key)):
        found = "is evaluated before any node has run, so it cannot read nodes; use inputs"
        yield Problem(place, found)
    if name := scoped_in(memory.key):
        yield Problem(place, f"{name} does not exist here; use inputs or run")
    template = parse_template(memory.key)
    parts = template.parts if isinstance(template, Template) else ()
    constant = "".join(part for part in parts if isinstance(part, str))
    if all(isinstance(part, str) for part in parts) and (problem := key_problem(constant)):
        yield Problem(place, problem)
    if memory.expire_after and parse_duration(memory.expire_after) > MAX_EXPIRY:
        found = f"{memory.expire_after} is more than 17520h, which is two years; shorten it"
        yield Problem("memory.expireAfter", found)


def _fact_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for node in spec.all_nodes:
        if spec.memory is None and node.agent is not None and node.agent.memory is not None:
            yield Problem(f"{node.place}.agent.memory", _NO_BLOCK)
        if node.remember is None:
            continue
        place = f"{node.place}.remember"
        if spec.memory is None:
            yield Problem(place, _NO_BLOCK)
        if node.agent is not None and node.remember.review == "Automatic":
            found = "Automatic is not allowed for agents, which read what others wrote; remove it, "
            yield Problem(f"{place}.review", f"{found}or let a python node remember what it checks")
        names = sorted({one.node for one in references_in(node.remember.facts)} - {node.name})
        if names:
            found = f"cannot read nodes.{names[0]}; it sees self.output, inputs and run"
            yield Problem(f"{place}.facts", found)


def review_of(spec: AgentWorkflowSpec, node: Node) -> Review:
    """Whether a person accepts the facts of a node before runs read them."""
    given = node.remember.review if node.remember is not None else None
    usual = spec.memory.review if spec.memory is not None else None
    return given or usual or "Required"


@dataclass(frozen=True)
class Notes:
    """What an agent is given of the memory of its run."""

    inject: Inject
    recall: bool


def notes_of(spec: AgentWorkflowSpec, node: Node) -> Notes | None:
    """What a node is given of the memory of its run; None if it is given nothing."""
    if spec.memory is None or node.agent is None:
        return None
    given = node.agent.memory
    inject: Inject = (given.inject if given is not None else None) or "Both"
    recall = given is not None and "recall" in (given.tools or ())
    return Notes(inject, recall) if recall or inject != "None" else None


def memory_warnings(
    spec: AgentWorkflowSpec, locals_: Mapping[str, JsonObject], templates: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """Warn of memory that all workflows share, of child runs of a map that share a key, and of
    facts that an agent may have copied from a server and that nobody reviews.

    Args:
        spec: The spec.
        locals_: Its local templates, as JSON, by name.
        templates: The AgentWorkflowTemplates that are known: their `spec`, by name.
    """
    if spec.memory is not None and spec.memory.scope == "Namespace":
        found = "Namespace: runs of all workflows of the namespace read what this one remembers; "
        yield Problem("memory.scope", f"{found}use Workflow unless they must", "warning")
    for node in spec.all_nodes:
        servers = [one.server for one in (node.agent and node.agent.tools) or () if one.server]
        if servers and node.remember is not None and review_of(spec, node) == "Automatic":
            found = f"tools of {servers[0]} can put text into these facts, and memory.review: "
            advice = "Automatic lets later runs read them unseen; use review: Required"
            yield Problem(f"{node.place}.remember", found + advice, "warning")
        if node.workflow is None or node.for_each is None:
            continue
        called = node.workflow.called
        body = (locals_ if called.local else templates).get(called.name)
        key = text(section(body, "memory"), "key")
        if key and not any(path.root == "inputs" for path in paths_in(key)):
            found = f"memory.key of template {called.name} reads no input, so all items have one "
            advice = "memory, and each reads what was written before it began; use an input"
            yield Problem(f"{node.place}.workflow", found + advice, "warning")
