"""Keys of `concurrency`: evaluated, and whether a run above holds them."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.modifiers.concurrency import key_problem
from waypost.api.template.parent import HeldKey, NodeConcurrency
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.slots import Wanted
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import (
    NullPolicy,
    RenderError,
    Template,
    parse_template,
    render_json,
    render_text,
)

_NAMES: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
}


def evaluated_key(text: str, view: JsonObject, *, place: str = "concurrency.key") -> str | Invalid:
    """A key, evaluated; Invalid if it cannot be evaluated, or is no text. `place`: its field."""
    template = parse_template(text)
    single = isinstance(template, Template) and template.is_single
    value = render_json(text, view) if single else render_text(text, view, null=NullPolicy.REFUSE)
    if isinstance(value, RenderError):
        return Invalid(f"{place}: {value.message}")
    if not isinstance(value, str):
        found = _NAMES.get(type(value), "an object")
        return Invalid(f"{place}: expected a text, found {found}")
    return value


def held_above(transition: Transition, key: str) -> str:
    """Why a key cannot be had while this run or one above it holds it; "" if none does."""
    above, own = transition.observed.lineage, wanted_by_run(transition)
    held = {one.key: one.run for one in (above.keys if above is not None else None) or ()}
    if isinstance(own, Wanted) and own.key == key:
        held[key] = transition.owner.name
    if key not in held:
        return ""
    why = "the node would wait for its own run"
    return f"{key!r} is held by run {held[key]} from its start to its end: {why}; use another key"


def run_has_key(transition: Transition) -> bool:
    """Whether a run needs a slot: for its own key, or for that of the node that has started it."""
    return transition.spec.concurrency is not None or _of_node(transition) is not None


def wanted_by_run(transition: Transition) -> Wanted | Invalid | None:
    """The slot that a run needs; Invalid if its key cannot be used; None if it needs none."""
    concurrency, of_node = transition.spec.concurrency, _of_node(transition)
    if concurrency is None and of_node is None:
        return None
    if concurrency is None:
        return of_node
    if of_node is not None:
        return Invalid(
            "concurrency: the node of the parent run that has started this run has the key "
            f"{of_node.key!r}, and this run has one of its template; a run holds one key: remove "
            "one of them"
        )
    key = evaluated_key(concurrency.key, transition.context(()))
    if isinstance(key, Invalid):
        return key
    if problem := key_problem(key):
        return Invalid(f"concurrency.key: {problem}")
    above = transition.observed.lineage
    for held in (above.keys if above is not None else None) or ():
        if held.key == key:
            return Invalid(
                f"concurrency.key: {key!r} is held by run {held.run}, of which this is a child "
                "run: it would wait for itself; use another key"
            )
    how = concurrency.when_full
    return Wanted(key, concurrency.slots, skips=how == "Skip", replaces=how == "Replace")


def _of_node(transition: Transition) -> Wanted | None:
    """The slot that a child run holds for the node of its parent."""
    above = transition.observed.lineage
    given = above.concurrency if above is not None else None
    return Wanted(given.key, given.limit, skips=False) if given is not None else None


def of_child(
    transition: Transition, path: str, view: JsonObject
) -> NodeConcurrency | Invalid | None:
    """The key that the child run of a node holds for it.

    Args:
        transition: The pass.
        path: The path of the node or item.
        view: What its own fields see.

    Returns:
        None if the node has no concurrency; Invalid if its key cannot be evaluated or is held by
        this run or one above it.
    """
    concurrency = transition.node(path).concurrency
    if concurrency is None:
        return None
    key = evaluated_key(concurrency.key, view)
    if isinstance(key, Invalid):
        return key
    if problem := key_problem(key) or held_above(transition, key):
        return Invalid(f"concurrency.key: {problem}")
    return NodeConcurrency(key=key, limit=concurrency.slots)


def keys_below(transition: Transition) -> list[HeldKey]:
    """The keys that a child run must not ask for: those of the runs above it, and of this run."""
    above = transition.observed.lineage
    keys = list((above.keys if above is not None else None) or ())
    wanted = wanted_by_run(transition)
    if isinstance(wanted, Wanted):
        keys.append(HeldKey(key=wanted.key, run=transition.owner.name))
    return keys
