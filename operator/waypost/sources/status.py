"""The status of an EventSource: the result of its static check. Pure, like `engine.template`."""

from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from waypost.api.meta import Condition, ConditionReason
from waypost.api.source.model import EventSourceSpec, EventSourceStatus
from waypost.compiler.problems import Problem
from waypost.compiler.validation_errors import problems_of
from waypost.kube import objects
from waypost.kube.conditions import Conditions
from waypost.sources.check import source_problems

_WARNINGS_SHOWN: Final = 5


def judged(body: Any, now: datetime) -> EventSourceStatus:
    """The next status of a source.

    Args:
        body: The source, as the API server stores it.
        now: The time of the pass.

    Returns:
        Its status with the condition Accepted. Never raises, whatever is in the spec.
    """
    metadata = objects.section(body, "metadata")
    generation = metadata.get("generation")
    generation = generation if isinstance(generation, int) else 1
    known = status_of(body)
    conditions = Conditions(known.conditions, generation=generation, now=now)
    put = partial(conditions.set, Condition.ACCEPTED)
    _, problems = read(objects.section(body, "spec"))
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    if errors:
        put("False", reason=ConditionReason.INVALID_SPEC, message="; ".join(errors))
    else:
        place = f"/v1/events/{metadata.get('namespace')}/{metadata.get('name')}"
        warnings = [f"warning: {problem}" for problem in problems][:_WARNINGS_SHOWN]
        message = ". ".join((f"the source is valid; senders use the path {place}", *warnings))
        put("True", reason=ConditionReason.ACCEPTED, message=message)
    return EventSourceStatus(observed_generation=generation, conditions=conditions.items)


def read(spec: Any) -> tuple[EventSourceSpec | None, tuple[Problem, ...]]:
    """A spec, and what is wrong with it; None if it cannot be read at all."""
    try:
        parsed = EventSourceSpec.model_validate(spec)
    except ValidationError as error:
        return None, problems_of(error, EventSourceSpec)
    return parsed, source_problems(parsed)


def status_of(body: Any) -> EventSourceStatus:
    """The status of a source; an empty one if it cannot be read."""
    try:
        return EventSourceStatus.model_validate(objects.section(body, "status"))
    except ValidationError:
        return EventSourceStatus()  # no harm: it follows from the spec
