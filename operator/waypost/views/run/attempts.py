"""How two attempts of a node differ.

The status has the inputs and the output of the latest attempt of a node or an iteration. Of earlier
ones there are NodeRecords, if the values were large. What is not known is never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue
from waypost.api.record import RecordType
from waypost.kube.node_records import LARGEST, record_fact
from waypost.kube.payloads import AttemptRef
from waypost.views.documents import AttemptsDifference, NodeIo
from waypost.views.errors import CannotShow
from waypost.views.json_changes import changes
from waypost.views.models import AttemptView, NodeView, RunView

Records = Mapping[str, JsonObject]


@dataclass(frozen=True)
class Tried:
    """An attempt, and what is known of its values.

    Attributes:
        attempt: The attempt.
        path: The path of its values: that of the node, or of the iteration.
        ref: How its NodeRecords are named.
        latest: Whether no later attempt of the same node or iteration is known.
        current: Whether none of a later round is known.
    """

    attempt: AttemptView
    path: str
    ref: AttemptRef
    latest: bool
    current: bool

    @property
    def records(self) -> tuple[str, str]:
        """The names of the NodeRecords with its inputs and its output, which need not exist."""
        return self.ref.record_name("Input"), self.ref.record_name("Result")


def chosen(run: RunView, path: str, numbers: Sequence[int]) -> tuple[Tried, Tried]:
    """Two attempts of a node, the earlier one first.

    Args:
        run: The run.
        path: The path of the node.
        numbers: The numbers of two attempts; empty for the last two.

    Raises:
        CannotShow: There is no such node, or the status does not have these attempts.
    """
    node = next((one for one in run.nodes if one.path == path), None)
    if node is None:
        raise CannotShow(f"no node {path!r} in the status of {run.name}; items have no attempts")
    known = {one.number: one for one in node.attempts}
    wanted = sorted(set(numbers)) if numbers else sorted(known)[-2:]
    missing = [number for number in wanted if number not in known]
    if missing or len(wanted) != 2:
        listed = ", ".join(str(number) for number in known) or "none"
        raise CannotShow(f"expected two attempts of {path}; the status has {listed}")
    first, second = (_tried(run, node, known[number]) for number in wanted)
    return first, second


def _tried(run: RunView, node: NodeView, attempt: AttemptView) -> Tried:
    path = node.path if attempt.iteration is None else f"{node.path}/{attempt.iteration}"
    later = [
        one
        for one in node.attempts
        if one.iteration == attempt.iteration and one.number > attempt.number
    ]
    return Tried(
        attempt=attempt,
        path=path,
        ref=AttemptRef(run.name, run.uid, path, attempt.round, attempt.number),
        latest=not later,
        current=all(one.round == attempt.round for one in later),
    )


def attempts_difference(
    run: RunView,
    path: str,
    pair: tuple[Tried, Tried],
    *,
    ios: tuple[NodeIo, NodeIo],
    records: Records,
) -> AttemptsDifference:
    """Compare two attempts.

    Args:
        run: The run.
        path: The path of the node.
        pair: The attempts.
        ios: What the status has of the inputs and the output of each.
        records: Their NodeRecords by name, as far as they exist.
    """
    both = list(zip(pair, ios, strict=True))
    inputs = [_inputs(tried, io, records) for tried, io in both]
    outputs = [_output(tried, io, records) for tried, io in both]
    found = AttemptsDifference(
        name=run.name,
        namespace=run.namespace,
        path=path,
        attempts=[tried.attempt.model_copy(update={"trace": None}) for tried in pair],
    )
    input_changes, input_note, more = _compared(inputs)
    output_changes, output_note, more_of_output = _compared(outputs)
    return found.model_copy(
        update={
            "inputs": input_changes,
            "inputs_note": input_note,
            "output": output_changes,
            "output_note": output_note,
            "more": more + more_of_output,
        }
    )


@dataclass(frozen=True)
class _Known:
    """A value, or why it is not known."""

    value: JsonValue = None
    why: str = ""


def _compared(values: Sequence[_Known]) -> tuple[list[object], str | None, int]:
    missing = [one.why for one in values if one.why]
    if missing:
        return [], "; ".join(dict.fromkeys(missing)), 0
    found, more = changes(*(one.value for one in values))
    return list(found), None, more


def _inputs(tried: Tried, io: NodeIo, records: Records) -> _Known:
    if stored := _stored(tried, "Input", records):
        return stored
    number = tried.attempt.number
    if tried.current and io.inputs is not None and io.same is not False:
        return _Known(io.inputs)  # all attempts of a round have the same
    if tried.current:
        return _Known(why=io.inputs_note or f"the inputs of attempt {number} are not known")
    return _Known(why=_of_round(f"inputs of attempt {number}", tried))


def _output(tried: Tried, io: NodeIo, records: Records) -> _Known:
    number, reason = tried.attempt.number, tried.attempt.reason
    if reason != "Succeeded":
        state = f"failed ({reason})" if reason else "has not ended"
        return _Known(why=f"attempt {number} {state} and has no output")
    if stored := _stored(tried, "Result", records):
        return stored
    if tried.latest and io.has_output:
        return _Known(io.output)
    if tried.latest:
        return _Known(why=io.output_note or f"the output of attempt {number} is not known")
    return _Known(why=_of_round(f"output of attempt {number}", tried))


def _of_round(what: str, tried: Tried) -> str:
    return (
        f"the {what} is not known: of round {tried.attempt.round} only large values are kept, "
        "in NodeRecords"
    )


def _stored(tried: Tried, type_: RecordType, records: Records) -> _Known | None:
    """The value in the NodeRecord of the attempt; None if there is no record."""
    body = records.get(tried.ref.record_name(type_))
    if body is None:
        return None
    fact = record_fact(body, limit=LARGEST)
    if not fact.is_of(type_, tried.ref):
        return _Known(why=f"NodeRecord {fact.name} belongs to another attempt")
    if fact.problem or not fact.payload.read:
        return _Known(why=f"NodeRecord {fact.name}: {fact.problem or 'in the object store'}")
    return _Known(fact.payload.value)
