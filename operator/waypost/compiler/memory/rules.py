"""Rules for `spec.memory`."""

from collections.abc import Iterator, Mapping

from waypost.api.base import JsonObject, parse_duration
from waypost.api.modifiers.memory import MAX_EXPIRY, key_problem
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import scoped_in
from waypost.expressions.templates import Template, parse_template, paths_in, references_in
from waypost.kube.objects import section, text


def memory_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report keys that can never be used, and entries that would be kept for too long."""
    memory = spec.memory
    if memory is None:
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


def memory_warnings(
    spec: AgentWorkflowSpec, locals_: Mapping[str, JsonObject], templates: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """Warn of memory that all workflows share, and of child runs of a map that share a key.

    Args:
        spec: The spec.
        locals_: Its local templates, as JSON, by name.
        templates: The AgentWorkflowTemplates that are known: their `spec`, by name.
    """
    if spec.memory is not None and spec.memory.scope == "Namespace":
        found = "Namespace: runs of all workflows of the namespace read what this one remembers; "
        yield Problem("memory.scope", f"{found}use Workflow unless they must", "warning")
    for node in spec.all_nodes:
        if node.workflow is None or node.for_each is None:
            continue
        called = node.workflow.called
        body = (locals_ if called.local else templates).get(called.name)
        key = text(section(body, "memory"), "key")
        if key and not any(path.root == "inputs" for path in paths_in(key)):
            found = f"memory.key of template {called.name} reads no input, so all items have one "
            advice = "memory, and each reads what was written before it began; use an input"
            yield Problem(f"{node.place}.workflow", found + advice, "warning")
