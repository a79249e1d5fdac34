"""Rules for nodes with concurrency."""

from collections.abc import Iterator, Mapping
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.table import KINDS, kind_of
from waypost.api.modifiers.concurrency import key_problem
from waypost.api.template.parent import MAX_LEVELS
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.calls import local_templates
from waypost.compiler.problems import Problem, Severity
from waypost.compiler.rules.scopes import scoped_in
from waypost.expressions.templates import Template, parse_template, references_in
from waypost.kube.objects import items, section, text

_INSTEAD: Final = {
    "approval": "a slot would be held while people decide; limit the node after it",
    "wait": "a slot would be held while nothing runs; limit the node after it",
    "event": "a slot would be held while nothing runs; limit the node after it",
    "first": "limit its candidates",
}


def concurrency_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report kinds that hold no slot, keys that can never be used, and items that are to be
    skipped."""
    yield from _of_run(spec)
    with_pod = ", ".join(sorted(name for name, kind in KINDS.items() if kind.has_pod))
    for node in spec.all_nodes:
        if node.concurrency is None:
            continue
        kind = kind_of(node)
        if not kind.has_pod and node.workflow is None:
            advice = f"; {_INSTEAD[kind.name]}" if kind.name in _INSTEAD else ""
            text = f"cannot be used with {kind.name}, only with {with_pod} and workflow{advice}"
            yield Problem(f"{node.place}.concurrency", text)
        if node.concurrency.when_full == "Skip" and node.for_each is not None:
            text = "Skip cannot be used with forEach: an item has no phase Skipped; use Wait"
            yield Problem(f"{node.place}.concurrency.whenFull", text)
        if node.concurrency.when_full == "Skip" and node.workflow is not None:
            text = (
                "Skip cannot be used with workflow: its child run waits for the key; write "
                "concurrency with Skip into the template"
            )
            yield Problem(f"{node.place}.concurrency.whenFull", text)
        constant = constant_key(node.concurrency.key)
        if constant is not None and (text := key_problem(constant)):
            yield Problem(f"{node.place}.concurrency.key", text)


def _of_run(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    if spec.concurrency is None:
        return
    key, place = spec.concurrency.key, "concurrency.key"
    if spec.concurrency.when_full == "Replace" and spec.concurrency.slots > 1:
        text = f"Replace needs limit 1, found limit {spec.concurrency.slots}; use Wait"
        yield Problem("concurrency.whenFull", text)
    if any(references_in(key)):
        text = "is evaluated before any node has run, so it cannot read nodes; use inputs"
        yield Problem(place, text)
    if name := scoped_in(key):
        yield Problem(place, f"{name} does not exist here; use inputs or run")
    constant = constant_key(key)
    if constant is None:
        return
    if text := key_problem(constant):
        yield Problem(place, text)
    for node in spec.all_nodes:
        if node.concurrency is not None and constant_key(node.concurrency.key) == constant:
            text = f"{constant!r} is held by the run from its start to its end: the node would "
            yield Problem(f"{node.place}.{place}", f"{text}wait for its own run; use another key")


def called_key_problems(
    spec: AgentWorkflowSpec, locals_: Mapping[str, JsonObject], templates: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """Report nodes of templates that ask for a constant key which is held while they run.

    An AgentWorkflowTemplate may be another one when it runs: what is found in it is a warning.

    Args:
        spec: The spec.
        locals_: Its local templates, as JSON, by name.
        templates: The AgentWorkflowTemplates that are known: their `spec`, by name.
    """
    of_run = constant_key(spec.concurrency.key) if spec.concurrency is not None else None
    for node in spec.all_nodes:
        if node.workflow is None:
            continue
        held = {} if of_run is None else {of_run: "the run"}
        if node.concurrency is not None:
            key = constant_key(node.concurrency.key)
            held |= {} if key is None else {key: f"the child run of {node.name}"}
        name, is_local = node.workflow.called.name, node.workflow.called.local
        body = (locals_ if is_local else templates).get(name)
        severity: Severity = "error" if is_local else "warning"
        if body is not None and node.concurrency is not None and section(body, "concurrency"):
            found = f"template {name} has concurrency too, and a run holds one key; remove one"
            yield Problem(f"{node.place}.concurrency", found, severity)
        around = locals_ if is_local else local_templates(body or {})
        for other, key in _asked_in(body or {}, around, templates, seen=frozenset((name,))):
            if key in held:
                found = f"{key!r} is held by {held[key]} while template {name} runs, in which node "
                advice = f"{other} asks for it: it would wait for itself; use another key"
                yield Problem(f"{node.place}.workflow", found + advice, severity)


def _asked_in(
    body: JsonObject,
    around: Mapping[str, JsonObject],
    templates: Mapping[str, JsonObject],
    *,
    seen: frozenset[str],
) -> Iterator[tuple[str, str]]:
    """(node, constant key) of a body, and of the templates that it calls."""
    main = items(body, "nodes")
    undoing = [
        {**section(node, "compensate"), "name": f"{text(node, 'name')}/compensate"} for node in main
    ]
    for node in (*main, *undoing, *items(body, "finally")):
        key = constant_key(text(section(node, "concurrency"), "key"))
        if key:
            yield text(node, "name"), key
        kind = section(node, "workflow")
        local, shared = text(kind, "template"), text(section(kind, "templateRef"), "name")
        called = around.get(local) if local else templates.get(shared)
        name = local or shared
        if called is not None and name not in seen and len(seen) < MAX_LEVELS:
            inside = around if local else local_templates(called)
            for other, asked in _asked_in(called, inside, templates, seen=seen | {name}):
                yield f"{text(node, 'name')}: {other}", asked


def concurrency_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Warn of one key with different limits: the smallest counts for all of them."""
    limits: dict[str, tuple[int, str]] = {}
    for node in spec.all_nodes:
        if node.concurrency is None:
            continue
        key, limit = node.concurrency.key, node.concurrency.slots
        first, place = limits.setdefault(key, (limit, node.place))
        if limit != first:
            text = f"is {limit}, and {place} has the same key with limit {first}: the smaller one "
            yield Problem(f"{node.place}.concurrency.limit", f"{text}counts for both", "warning")


def constant_key(text: str) -> str | None:
    """A key without expressions; None if it has some, or cannot be parsed."""
    template = parse_template(text)
    if not isinstance(template, Template):
        return None
    parts = [part for part in template.parts if isinstance(part, str)]
    return "".join(parts) if len(parts) == len(template.parts) else None
