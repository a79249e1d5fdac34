"""Problems of a spec, with the fields as its author writes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One defect of a spec: its field (`nodes.draft.when`) and what is wrong with it.

    An error prevents the run from being accepted; a warning is only reported.
    """

    field: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'incident'?` for a known name similar to `wrong`; "" if there is none."""
    close = get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
