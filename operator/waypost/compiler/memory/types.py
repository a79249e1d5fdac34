"""The schema of the variable `memory` in expressions."""

from collections.abc import Mapping
from typing import Final

from waypost.api.modifiers.memory import MOST_FACTS
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.types.schemas import TEXT, Linked, Unknown, closed
from waypost.protocol.ijson import Json

_BOOLEAN: Final = {"type": "boolean"}
_FACT: Final = closed(
    {
        "subject": TEXT,
        "text": TEXT,
        # Only of a fact that is more than a text. An older one may have met another schema.
        "value": Unknown(),
        "since": TEXT,
        "source": closed({"run": TEXT, "path": TEXT}),
    },
    ["text", "since", "source"],
)


def memory_type(spec: AgentWorkflowSpec, remembered: Mapping[str, Json] | None) -> Json | None:
    """The schema of `memory`; None for a run without memory.

    Args:
        spec: The spec.
        remembered: The schema of each key of `memory.remember`; None: they are not inferred yet.
    """
    if spec.memory is None:
        return None
    known: Mapping[str, Json] = remembered or {}
    keys = {key: known.get(key, Unknown()) for key in spec.memory.remember or {}}
    episode = closed(
        {
            "run": TEXT,
            "finishedAt": TEXT,
            "scheduledAt": TEXT,
            "succeeded": _BOOLEAN,
            # A run that failed leaves out what it has no source for, and so does an older one.
            "outputs": closed(keys, []),
        }
    )
    return closed(
        {
            "key": TEXT,
            "last": episode,
            "lastSucceeded": episode,
            "episodes": {"type": "array", "items": episode},
            "facts": {"type": "array", "items": _FACT},
            "bySubject": {"type": "object", "additionalProperties": _FACT},
        },
        ["key", "episodes", "facts", "bySubject"],
    )


def facts_type(spec: AgentWorkflowSpec, once: Linked) -> Json:
    """The schema of what `remember.facts` gives: null, or a list of facts.

    Args:
        spec: The spec.
        once: Caches linked schemas.
    """
    fact = spec.memory.facts_meet if spec.memory is not None else True
    # One schema with two types: of alternatives the comparison could prove none.
    return {"type": ["array", "null"], "items": once.of(fact), "maxItems": MOST_FACTS}
