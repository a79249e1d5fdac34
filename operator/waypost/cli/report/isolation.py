"""Lines about `status.isolation`."""

from collections.abc import Iterator, Sequence

from waypost.api.state.isolation import STATES, ControlStatus
from waypost.cli.report.format import joined, tame


def lines(controls: Sequence[ControlStatus]) -> Iterator[str]:
    """One line with the counts, and one for each control that did not hold.

    Left out is what needs no attention: a control that no attempt asked for, but for Egress, and
    one that all pods declare although no probe measured it.
    """
    if shown := [_counts(control) for control in controls if _is_shown(control)]:
        yield joined(shown)
    for control in controls:
        if control.unavailable:
            yield f"{control.control} did not hold: {tame(control.message or '', limit=400)}"


def _is_shown(control: ControlStatus) -> bool:
    if control.control == "Egress" or control.verified or control.unavailable:
        return True
    return bool(control.applied) and control.control in ("UserNamespace", "RuntimeClass")


def _counts(control: ControlStatus) -> str:
    counts = [(getattr(control, state), state) for state in STATES]
    text = ", ".join(f"{number} {state}" for number, state in counts if number)
    return f"{control.control} {text}"
