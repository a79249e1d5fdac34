"""Facts: what a node remembers with its checkpoint (S738).

They are evaluated and checked before the checkpoint is recorded, so a value that does not fit fails
the attempt as an output does that does not meet `outputSchema`.
"""

from collections.abc import Iterable
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.memory.model import MAX_FACT_BYTES, MAX_FIELDS, MAX_SUBJECT
from waypost.api.modifiers.memory import MOST_FACTS, MOST_OF_NODE
from waypost.api.record import RecordType
from waypost.api.state.memory import MAX_OUTBOX
from waypost.compiler.memory.marks import output_without_marked, without_marks
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import Failed, Remembered, Succeeded
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, render_json
from waypost.expressions.values import declare_numbers
from waypost.kube import names
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.memory.remembered import without_subject
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason

_LIST: Final = {"type": "array", "maxItems": MOST_FACTS}
_OBJECT: Final = {"type": "object"}
_ROOM: Final = 50  # NodeRecords that one pass may add to the outbox


def unstored(observed: Observed, type_: RecordType) -> WriteProblem | None:
    """Why this pass could not write the NodeRecord of this type. By its type and not by its name:
    the content has the time at which the pass decided, and a pass may decide several times."""
    problems = observed.write_problems.items()
    found = (p for name, p in problems if names.is_memory_record(name, type_, run=observed.name))
    return next(found, None)


def checked(transition: Transition, path: str, outcome: Succeeded) -> Succeeded | Failed:
    """The outcome of an attempt whose facts were judged too. That of an iteration is judged when
    the loop ends."""
    found = _facts(transition, path, outcome)
    return found if isinstance(found, Failed) else outcome


def problem(transition: Transition, path: str) -> WriteProblem | None:
    """Why a node that remembers has to wait: the NodeRecord with its facts cannot be written now.
    What the API server refuses permanently is given up, and the node does not wait."""
    memory = transition.observed.status.memory
    if memory is None or not _remembers(transition, path):
        return None
    if len(memory.outbox or ()) > MAX_OUTBOX - _ROOM:
        text = f"{len(memory.outbox or ())} NodeRecords with entries are not written yet"
        return WriteProblem(text, permanent=False, since=transition.now, at=transition.now)
    found = unstored(transition.observed, "Remember")
    return None if found is None or found.permanent else found


def succeed(transition: Transition, path: str, outcome: Succeeded) -> None:
    """Checkpoint a node as `Transition.succeed` does, and what it remembers with it."""
    if (facts := judged(transition, path, outcome)) is not None:
        transition.succeed(path, outcome)
        keep(transition, facts)


def judged(transition: Transition, path: str, outcome: Succeeded) -> Remembered | None:
    """What a node remembers that is about to be recorded as Succeeded; None if it has failed for
    that, or waits because it cannot be stored. Changes `transition`."""
    facts = _facts(transition, path, outcome)
    if isinstance(facts, Failed):
        transition.end(path, "Failed", facts.reason, facts.message)
        return None
    if facts and (refused := problem(transition, path)) is not None:
        transition.hold(path, refused)
        return None
    return Remembered(path, facts, outcome.digest, transition.statuses[path].attempt or None)


def keep(transition: Transition, made: Remembered) -> None:
    """Remember the facts of a node if it has been recorded as Succeeded. Changes `transition`."""
    if made.facts and transition.statuses[made.path].phase == "Succeeded":
        transition.remembered.append(made)
        if (opened := transition.map_of(made.path)) is not None:
            opened.facts += len(made.facts)


def _remembers(transition: Transition, path: str) -> bool:
    has_memory = transition.spec.memory is not None
    known = transition.observed.status.memory is not None
    return has_memory and known and transition.node(path).remember is not None


def _facts(transition: Transition, path: str, outcome: Succeeded) -> dict[int, JsonObject] | Failed:
    """The facts of an execution that succeeded, by their position; Failed if one does not fit."""
    remember = transition.node(path).remember
    if remember is None or not _remembers(transition, path):
        return {}
    node = transition.node(path)
    context = without_marks(transition.context(()), transition.spec, {})
    output = output_without_marked(node, outcome.output)
    view: JsonObject = {
        "inputs": context["inputs"],
        "run": context["run"],
        "self": {"output": declare_numbers(output, node.output_schema)},
    }
    found = render_json(remember.facts, view)
    if isinstance(found, RenderError):
        return _failed(f"remember.facts: {found.message}", outcome)
    if found is None:
        return {}
    if violations := schema.validate(_LIST, found):
        return _failed(_placed("$.remember", violations), outcome)
    # An item of a list that is absent is null.
    facts = {at: one for at, one in enumerate(found) if one is not None}
    for at, one in facts.items():
        if text := _fact_problem(transition, f"$.remember[{at}]", one):
            return _failed(text, outcome)
    opened = transition.map_of(path)
    total = len(facts) + (opened.facts if opened is not None else 0)
    if total > MOST_OF_NODE:
        text = f"the items together have {total} facts, the limit is {MOST_OF_NODE}"
        return _failed(f"$.remember: {text}", outcome, lasting=True)
    return facts


def _failed(text: str, outcome: Succeeded, *, lasting: bool = False) -> Failed:
    return Failed(Reason.OUTPUT_INVALID, text, lasting=lasting, report=outcome.report)


def _placed(place: str, violations: Iterable[schema.Violation]) -> str:
    return "; ".join(place + str(one).removeprefix("$") for one in violations)


def _fact_problem(transition: Transition, place: str, fact: JsonValue) -> str:
    """Why a value is no fact, with its path; "" if it is one."""
    memory = transition.spec.memory
    assert memory is not None, "the node remembers"
    violations = schema.validate(_OBJECT, fact) or schema.validate(memory.facts_meet, fact)
    if violations or not isinstance(fact, dict):
        return _placed(place, violations)
    subject = fact.get("subject", "-")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        return f"{place}.subject: expected a text of 1 to {MAX_SUBJECT} characters"
    value = without_subject(fact)
    if len(value) > MAX_FIELDS:
        return f"{place}: {len(value)} fields, the limit is {MAX_FIELDS}"
    size = len(ijson.canonical(value))
    too_large = f"{place}: {size} bytes of JSON, the limit is {MAX_FACT_BYTES}"
    return too_large if size > MAX_FACT_BYTES else ""
