"""Where programs are run: in this process, unless the process that serves others says otherwise.

The value, or the typed failure, is the same wherever that is; what differs is who suffers when
the library does not come to an end, takes all memory or breaks down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from waypost.expressions import cel
from waypost.expressions.cel import Failure
from waypost.expressions.values import Unfit, out_of_cel
from waypost.protocol.ijson import Json


@dataclass(frozen=True)
class Value:
    """What a program gave, as JSON."""

    json: Json


@dataclass(frozen=True)
class NotJson:
    """A program gave what JSON cannot hold: why, and where in the result."""

    message: str
    path: str


@dataclass(frozen=True)
class Stopped:
    """A program was ended because it took more than `limit`, or broke the process it ran in."""

    limit: str


Outcome: TypeAlias = Value | Failure | NotJson | Stopped


class Evaluator(Protocol):
    """Runs programs."""

    def run(self, program: bytes, variables: Mapping[str, Json]) -> Outcome:
        """What `program`, a checked tree, gives with these variables."""


class InProcess:
    """Runs programs where it is called. Nothing but the estimates before it bounds them."""

    def run(self, program: bytes, variables: Mapping[str, Json]) -> Outcome:
        """Evaluate in this process."""
        result: Any = cel.run(program, variables)
        if isinstance(result, Failure):
            return result
        try:
            return Value(out_of_cel(result))
        except Unfit as unfit:
            return NotJson(unfit.message, unfit.path)


_IN_PROCESS: Final = InProcess()
_evaluator: Evaluator = _IN_PROCESS


def use(evaluator: Evaluator | None) -> None:
    """Run all programs of this process with `evaluator`; in the process again with None."""
    global _evaluator  # one per process, set once when it starts
    _evaluator = evaluator or _IN_PROCESS


def run(program: bytes, variables: Mapping[str, Json]) -> Outcome:
    """What `program` gives, from the evaluator in use."""
    return _evaluator.run(program, variables)
