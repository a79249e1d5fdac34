"""The status of a template: the result of its static check. Pure, like `decide`."""

from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from waypost.api.meta import Condition, ConditionReason
from waypost.api.template.spec import AgentWorkflowTemplateStatus
from waypost.compiler.templates import define_template
from waypost.kube import objects
from waypost.kube.conditions import Conditions
from waypost.kube.facts import runs

_WARNINGS_SHOWN: Final = 5
_PRUNED_SHOWN: Final = 10


def judged(body: Any, now: datetime) -> AgentWorkflowTemplateStatus:
    """The next status of a template.

    Args:
        body: The template, as the API server stores it.
        now: The time of the pass.

    Returns:
        Its status with the condition Accepted. Never raises, whatever is in the spec.
    """
    metadata, spec = objects.section(body, "metadata"), objects.section(body, "spec")
    generation = metadata.get("generation")
    generation = generation if isinstance(generation, int) else 1
    known = status_of(body)
    definition = define_template(spec, name=objects.text(metadata, "name"))
    conditions = Conditions(known.conditions, generation=generation, now=now)
    put = partial(conditions.set, Condition.ACCEPTED)
    pruned = runs.pruned_of(body)[:_PRUNED_SHOWN]
    dropped = f"unknown fields that the API server dropped: {', '.join(pruned)}" if pruned else ""
    if definition.problems:
        texts = [*(str(problem) for problem in definition.problems), dropped]
        message = "; ".join(text for text in texts if text)
        put("False", reason=ConditionReason.INVALID_SPEC, message=message)
    else:
        texts = ["the definition is valid"]
        if dropped:
            texts = [f"accepted without {dropped}; check their spelling"]
        texts += [f"warning: {warning}" for warning in definition.warnings[:_WARNINGS_SHOWN]]
        put("True", reason=ConditionReason.ACCEPTED, message=". ".join(texts))
    nodes = spec.get("nodes")
    return AgentWorkflowTemplateStatus(
        observed_generation=generation,
        nodes=len(nodes) if isinstance(nodes, list) else None,
        conditions=conditions.items,
    )


def status_of(body: Any) -> AgentWorkflowTemplateStatus:
    """The status of a template; an empty one if it cannot be read."""
    try:
        return AgentWorkflowTemplateStatus.model_validate(objects.section(body, "status"))
    except ValidationError:
        return AgentWorkflowTemplateStatus()  # no harm: it follows from the spec
