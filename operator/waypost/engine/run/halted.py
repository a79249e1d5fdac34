"""The deadlines of nodes of a run whose definition is not there: its record is lost or unread.

Nothing starts, and what runs continues. What a deadline needs is in the status and in the pods, so
no deadline waits for the definition.
"""

from dataclasses import replace
from datetime import datetime

from waypost.engine.attempts import cleanup, watch
from waypost.engine.items import working
from waypost.engine.run import ending, rejection
from waypost.engine.run.entry import Halted, is_stopped_alone
from waypost.engine.state.decision import Decision
from waypost.engine.state.transition import IN_POD, Transition
from waypost.kube.manifests.pod import PodSettings


def decide(entry: Halted, now: datetime, settings: PodSettings) -> Decision:
    """The status of a run that is halted, with the nodes whose deadline has passed.

    An attempt is stopped, and closed once its pod is over. The items of a map, an iteration and a
    child run are stopped; how their node ends is decided with the definition.
    """
    transition = Transition(entry.observed, now=now, settings=settings)
    working.open_maps(transition)
    for path in transition.in_phase(*IN_POD):
        if is_stopped_alone(transition.statuses[path]):
            watch.advance(transition, path)
    ending.enforce_deadlines(transition)
    working.close_maps(transition)
    transition.after += cleanup.seal_closed(transition)
    transition.after += cleanup.stop_sidecars(transition)
    transition.after += cleanup.release_closed(transition)
    observed = replace(entry.observed, status=ending.with_nodes(transition))
    decision = rejection.reject(observed, entry.problems, now, reason=entry.reason)
    return replace(
        decision,
        before=tuple(transition.before),
        after=tuple(transition.after),
        events=(*decision.events, *transition.events),
        refusals=tuple(transition.refusals),
        traces=dict(transition.traces),
        awaits_template=entry.awaits_template,
        requeue_at=min((*transition.timers, *entry.look_again), default=None),
    )
