"""`repeat`: what follows an iteration that has succeeded (semantics.md, "Loops").

The end of the iteration, the verdict of `until` and what follows are one status write. The output
is in a NodeRecord before it, so that the next iteration can read it after a crash.
"""

from dataclasses import replace
from datetime import timedelta

from waypost.api.base import JsonObject, JsonValue, parse_duration
from waypost.api.changes import changed_loop
from waypost.api.modifiers.repeat import Repeat
from waypost.api.nodes.artifacts import made_texts
from waypost.api.state.usage import Usage
from waypost.api.status import LoopStatus, NodeStatus
from waypost.engine.scheduling import remembering
from waypost.engine.scheduling.inputs import context_for, invalid_reason, loop_variables
from waypost.engine.state.outcome import Succeeded
from waypost.engine.state.transition import Transition
from waypost.engine.state.usage import total
from waypost.expressions.templates import RenderError, render_condition
from waypost.expressions.values import declare_numbers
from waypost.kube import timestamps
from waypost.kube.loops import EndedBy, as_text
from waypost.protocol.reasons import Reason

_KEPT_ITERATIONS = 100
# Times in status have whole milliseconds: without it a pause could be shorter than asked.
_ROUNDED_UP = timedelta(milliseconds=1)


def is_loop(transition: Transition, path: str) -> bool:
    """Whether a node is repeated, also if its definition is gone (a cancelled run whose spec is
    refused)."""
    return transition.node(path).repeat is not None or transition.statuses[path].loop is not None


def end_iteration(transition: Transition, path: str, outcome: Succeeded) -> None:
    """Record an iteration that succeeded, and end the loop or schedule the next iteration.

    Args:
        transition: The next status of the run; the attempt is recorded as ended.
        path: The node.
        outcome: The output of the iteration.
    """
    status = transition.statuses[path]
    loop = status.loop or LoopStatus(number=0)
    verdict = _until(transition, path, outcome.output)
    record = transition.keep_output(path, outcome)
    outcome = replace(outcome, record=record)
    done = [*(loop.done or "").split(), _ended_by(transition, path)][-_KEPT_ITERATIONS:]
    loop = changed_loop(
        loop,
        done=" ".join(done),
        previous=record,
        # Of a child run nobody would keep them: the next iteration has another one.
        artifacts=None if status.child is not None else made_texts(outcome.artifacts) or None,
        usage=_usage(status, loop),
    )
    transition.update(path, loop=loop)
    repeat = transition.node(path).repeat
    number = loop.number - (loop.begun or 0) + 1
    if isinstance(verdict, RenderError):
        text = f"repeat.until after {_named(path, loop, repeat)}: {verdict.message}"
        transition.end(path, "Failed", invalid_reason(transition, verdict.message), text)
    elif verdict:
        remembering.succeed(transition, path, outcome)
    elif repeat is not None and number >= repeat.max:
        _at_limit(transition, path, outcome, repeat)
    else:
        _next(transition, path, loop, repeat)


def _ended_by(transition: Transition, path: str) -> str:
    """The attempt and the round in the name of the NodeRecord with the iteration's output."""
    ref = transition.result_ref(path)
    return as_text(EndedBy(ref.attempt, ref.round))


def _usage(status: NodeStatus, loop: LoopStatus) -> Usage | None:
    """The usage of the iterations that have ended, this one included.

    Of the current iteration, the attempts that the status still lists count.
    """
    listed = [a for a in status.attempts or [] if a.iteration == loop.number]
    own = [a for a in listed if a.number >= (loop.first_attempt or 1)]
    used = (usage for a in own for usage in (a.usage, a.carried))
    return total((loop.usage, *used))


def _until(transition: Transition, path: str, output: JsonValue) -> bool | RenderError:
    """The verdict on an iteration, from its output; false if the definition is gone."""
    node = transition.node(path)
    if node.repeat is None or transition.observed.definition.refused:
        return False
    view: JsonObject = {
        **context_for(transition, path),
        **loop_variables(transition, path),
        "self": {"output": declare_numbers(output, node.output_schema)},
    }
    return render_condition(node.repeat.until, view)


def _at_limit(transition: Transition, path: str, outcome: Succeeded, repeat: Repeat) -> None:
    if repeat.on_limit == "Succeed":
        remembering.succeed(transition, path, outcome)
        return
    iterations = "1 iteration" if repeat.max == 1 else f"{repeat.max} iterations"
    text = f"repeat.until was still false after {iterations}; the last output is in error.last"
    transition.end(path, "Failed", Reason.LOOP_LIMIT, text)


def _next(transition: Transition, path: str, loop: LoopStatus, repeat: Repeat | None) -> None:
    """Schedule the next iteration: in this pass, or after the pause."""
    pause = parse_duration(repeat.pause) if repeat is not None and repeat.pause else 0.0
    due = transition.now + timedelta(seconds=pause) + (_ROUNDED_UP if pause else timedelta())
    waiting = f"; the next one starts after a pause of {repeat.pause}" if repeat and pause else ""
    transition.update(
        path,
        phase="Backoff",
        reason=str(Reason.REPEATING),
        message=f"{_named(path, loop, repeat)} succeeded, repeat.until is false{waiting}",
        tail=None,
        wake_at=timestamps.timestamp(due),
        retries=None,
        disruptions=None,
        provider_retries=None,
        launch_retries=None,
        loop=changed_loop(loop, number=loop.number + 1),
    )
    transition.requeue_at(due)


def _named(path: str, loop: LoopStatus, repeat: Repeat | None) -> str:
    """The iteration for people: `iteration 3 of 5 (refine/2)`."""
    at = loop.number - (loop.begun or 0) + 1
    most = f" of {repeat.max}" if repeat is not None else ""
    return f"iteration {at}{most} ({path}/{loop.number})"
