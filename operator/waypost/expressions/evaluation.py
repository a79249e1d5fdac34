"""Where programs run: in this process, unless `use` sets another evaluator.

The value or the typed failure is the same everywhere. The difference is which process is affected
if the library does not terminate, uses all memory or crashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from waypost.expressions import cel
from waypost.expressions.values import Failure, Unfit, out_of_cel
from waypost.protocol.ijson import Json


@dataclass(frozen=True)
class Value:
    """The result of a program, as JSON."""

    json: Json


@dataclass(frozen=True)
class NotJson:
    """The result of a program is not JSON: why, and where in the result."""

    message: str
    path: str


@dataclass(frozen=True)
class Stopped:
    """A program was stopped because it exceeded `limit`, or it crashed its process."""

    limit: str


Outcome: TypeAlias = Value | Failure | NotJson | Stopped


class Evaluator(Protocol):
    """Runs programs."""

    def run(self, program: bytes, variables: Mapping[str, Json]) -> Outcome:
        """Run `program`, the bytes of a checked tree, with these variables."""


class InProcess:
    """Runs programs in the calling process. Only the estimates before limit them."""

    def run(self, program: bytes, variables: Mapping[str, Json]) -> Outcome:
        """As `Evaluator.run`; never Stopped."""
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
    """Run all programs of this process with `evaluator`; with None in this process."""
    global _evaluator  # one per process, set once when it starts
    _evaluator = evaluator or _IN_PROCESS


def run(program: bytes, variables: Mapping[str, Json]) -> Outcome:
    """Run `program` with the current evaluator."""
    return _evaluator.run(program, variables)
