"""The slot that an attempt needs: its key, evaluated."""

from waypost.api.modifiers.concurrency import Concurrency, key_problem
from waypost.api.status import AttemptStatus
from waypost.engine.scheduling.inputs import own_context
from waypost.engine.state.inputs import Inputs, Invalid
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


def wanted_by(
    transition: Transition, path: str, inputs: Inputs, attempt: AttemptStatus
) -> Wanted | Invalid | None:
    """The slot that an attempt needs.

    Returns:
        None if its node has no concurrency; Invalid if the key cannot be evaluated, or is no text
        of 1 to 200 characters.
    """
    concurrency = transition.node(path).concurrency
    if concurrency is None:
        return None
    view = own_context(inputs, path=path, attempt=attempt.number)
    template = parse_template(concurrency.key)
    single = isinstance(template, Template) and template.is_single
    value = (
        render_json(concurrency.key, view)
        if single
        else render_text(concurrency.key, view, null=NullPolicy.REFUSE)
    )
    if isinstance(value, RenderError):
        return Invalid(f"concurrency.key: {value.message}")
    if not isinstance(value, str):
        found = _NAMES.get(type(value), "an object")
        return Invalid(f"concurrency.key: expected a text, found {found}")
    problem = key_problem(value)
    return Invalid(f"concurrency.key: {problem}") if problem else _of(concurrency, value)


_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
}


def _of(concurrency: Concurrency, key: str) -> Wanted:
    return Wanted(key, concurrency.slots, skips=concurrency.when_full == "Skip")
