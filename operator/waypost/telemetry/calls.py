"""The model calls of an attempt, as metrics count them. Pure; never raises."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace

ANSWERED = "Answered"
_REASONS = frozenset(reason.value for reason in Reason)


@dataclass(frozen=True)
class ModelCall:
    """A call that an attempt made.

    Attributes:
        outcome: Answered, or the reason why there was no usable answer.
        seconds: From the call to the end of its answer.
        first_byte_seconds: From the call to the first byte of the answer; None if it is not known.
    """

    outcome: str
    seconds: float
    first_byte_seconds: float | None = None


def model_calls(trace: Trace) -> Iterator[ModelCall]:
    """The calls of models in a trace, without those that were taken from a journal."""
    for entry in trace.entries:
        start, end = parse_timestamp(entry["start"]), parse_timestamp(entry["end"])
        if entry["type"] != "model" or entry.get("replayed") or start is None or end is None:
            continue
        error = str(entry.get("error") or "").partition(":")[0]
        reason = error if error in _REASONS else "Other"
        yield ModelCall(
            outcome=reason if error else ANSWERED,
            seconds=max((end - start).total_seconds(), 0.0),
            first_byte_seconds=first_byte(entry),
        )


def first_byte(entry: Mapping[str, object]) -> float | None:
    """The seconds to the first byte of the answer that an entry of a trace has."""
    return seconds_of(entry, "firstByteSeconds")


def seconds_of(entry: Mapping[str, object], field: str) -> float | None:
    """A number of seconds in an entry of a trace; None if it has none."""
    found = entry.get(field)
    # Not isinstance: True is an int. A pod may write anything into its trace.
    if type(found) in (int, float) and 0 <= found < 1e6:  # type: ignore[operator]
        return float(found)  # type: ignore[arg-type]
    return None
