"""Keys of `concurrency`: evaluated, and whether a run above holds them."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.modifiers.concurrency import key_problem
from waypost.api.template.parent import HeldKey
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


def evaluated_key(text: str, view: JsonObject) -> str | Invalid:
    """A key, evaluated; Invalid if it cannot be evaluated, or is no text."""
    template = parse_template(text)
    single = isinstance(template, Template) and template.is_single
    value = render_json(text, view) if single else render_text(text, view, null=NullPolicy.REFUSE)
    if isinstance(value, RenderError):
        return Invalid(f"concurrency.key: {value.message}")
    if not isinstance(value, str):
        found = _NAMES.get(type(value), "an object")
        return Invalid(f"concurrency.key: expected a text, found {found}")
    return value


def held_above(transition: Transition, key: str) -> str:
    """Why a key cannot be had while this run or one above it holds it; "" if none does."""
    own, above = transition.spec.concurrency, transition.observed.lineage
    held = {one.key: one.run for one in (above.keys if above is not None else None) or ()}
    if own is not None and evaluated_key(own.key, transition.context(())) == key:
        held[key] = transition.owner.name
    if key not in held:
        return ""
    why = "the node would wait for its own run"
    return f"{key!r} is held by run {held[key]} from its start to its end: {why}; use another key"


def wanted_by_run(transition: Transition) -> Wanted | Invalid | None:
    """The slot that a run needs; Invalid if its key cannot be used; None if it needs none."""
    concurrency = transition.spec.concurrency
    if concurrency is None:
        return None
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


def keys_below(transition: Transition) -> list[HeldKey]:
    """The keys that a child run must not ask for: those of the runs above it, and of this run."""
    above = transition.observed.lineage
    keys = list((above.keys if above is not None else None) or ())
    wanted = wanted_by_run(transition)
    if isinstance(wanted, Wanted):
        keys.append(HeldKey(key=wanted.key, run=transition.owner.name))
    return keys
