"""The slot that an attempt needs: its key, evaluated."""

from waypost.api.modifiers.concurrency import Concurrency, key_problem
from waypost.api.status import AttemptStatus
from waypost.engine.scheduling.inputs import own_context
from waypost.engine.slots.keys import evaluated_key, held_above
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.slots import Wanted
from waypost.engine.state.transition import Transition


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
    value = evaluated_key(concurrency.key, view)
    if isinstance(value, Invalid):
        return value
    if problem := key_problem(value) or held_above(transition, value):
        return Invalid(f"concurrency.key: {problem}")
    return _of(concurrency, value)


def _of(concurrency: Concurrency, key: str) -> Wanted:
    return Wanted(key, concurrency.slots, skips=concurrency.when_full == "Skip")
