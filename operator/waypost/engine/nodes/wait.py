"""Kind `wait`: nodes without a pod that end at a given time."""

from datetime import timedelta
from typing import Final

from waypost.api.base import parse_duration
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling.inputs import Inputs, invalid_reason, own_context
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, RenderError, render_text
from waypost.kube import timestamps


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record when the wait is over: an absolute time, so that a crash does not restart it."""
    kind = transition.node(path).wait
    assert kind is not None, "only wait nodes are started here"
    if kind.duration is not None:
        until = transition.now + timedelta(seconds=parse_duration(kind.duration))
    else:
        text = render_text(
            kind.until or "", own_context(inputs, path=path, attempt=1), null=NullPolicy.REFUSE
        )
        problem = text.message if isinstance(text, RenderError) else ""
        parsed = None if isinstance(text, RenderError) else timestamps.parse_timestamp(text)
        if parsed is None:
            expected = f"expected an RFC 3339 time like 2026-11-24T03:10:00Z, found {text!r}"
            message = f"wait.until: {problem or expected}"
            transition.end(path, "Failed", invalid_reason(transition, message), message)
            return
        until = parsed
    moment = timestamps.timestamp(transition.now)
    transition.update(
        path,
        phase="Waiting",
        wake_at=timestamps.timestamp(until),
        input_digest=inputs.digest,
        started_at=moment,
    )
    advance(transition, path, withdraw=False)


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """End a wait whose time has come, unless the run winds down (`withdraw`)."""
    if withdraw:
        return
    text = transition.statuses[path].wake_at
    until = timestamps.parse_timestamp(text) or transition.now
    if transition.now < until:
        transition.requeue_at(until)
        return
    transition.succeed(path, checkpoint({"until": text}))


KIND: Final = EngineKind("wait", start=start, advance=advance)
