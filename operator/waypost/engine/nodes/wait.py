"""Kind `wait`: nodes without a pod that end at a given time."""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import parse_computed_duration
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling import remembering
from waypost.engine.scheduling.inputs import invalid_reason, own_context
from waypost.engine.state.inputs import Inputs
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, RenderError, render_text
from waypost.kube import timestamps
from waypost.protocol.text import shorten


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record when the wait is over: an absolute time, so that a crash does not restart it."""
    until = _end(transition, path, inputs)
    if isinstance(until, str):
        transition.end(path, "Failed", invalid_reason(transition, until), until)
        return
    moment = timestamps.timestamp(transition.now)
    transition.update(
        path,
        phase="Waiting",
        wake_at=timestamps.timestamp(until),
        input_digest=inputs.digest,
        started_at=moment,
    )
    advance(transition, path, withdraw=False)


def _end(transition: Transition, path: str, inputs: Inputs) -> datetime | str:
    """The time at which the wait ends, or a message that says why there is none."""
    kind = transition.node(path).wait
    assert kind is not None, "only wait nodes are started here"
    field, source = ("duration", kind.duration) if kind.duration else ("until", kind.until or "")
    text = render_text(source, own_context(inputs, path=path, attempt=1), null=NullPolicy.REFUSE)
    if isinstance(text, RenderError):
        return f"wait.{field}: {text.message}"
    if field == "until":
        expected = (
            f"expected an RFC 3339 time like 2026-11-24T03:10:00Z, found {shorten(text, 80)!r}"
        )
        return timestamps.parse_timestamp(text) or f"wait.until: {expected}"
    try:
        return transition.now + timedelta(seconds=parse_computed_duration(text))
    except ValueError as error:
        return f"wait.duration: {error}"


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """End a wait whose time has come, unless the run winds down (`withdraw`)."""
    if withdraw:
        return
    text = transition.statuses[path].wake_at
    until = timestamps.parse_timestamp(text) or transition.now
    if transition.now < until:
        transition.requeue_at(until)
        return
    remembering.succeed(transition, path, checkpoint({"until": text}))


KIND: Final = EngineKind("wait", start=start, advance=advance)
