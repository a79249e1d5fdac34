"""What the parent requests of a child run: stop, suspend, a round. Repeated until it shows it."""

from datetime import timedelta
from typing import Final

from waypost.api.changes import changed_child
from waypost.api.state.child import ChildStatus
from waypost.engine.nodes.children import patches
from waypost.engine.nodes.gates.requesters import requesters
from waypost.engine.state.transition import Transition
from waypost.kube.facts.children import ChildFact, Requests
from waypost.protocol.reasons import Reason

LOOK_AFTER: Final = timedelta(seconds=2)  # until a child that was created should be seen


def found(transition: Transition, child: ChildStatus) -> ChildFact | None:
    """The fact of a child run; None if none with its name and uid is known."""
    fact = transition.observed.children.get(child.name)
    return fact if fact is not None and child.uid in (None, fact.uid) else None


def stop(transition: Transition, path: str, reason: Reason) -> None:
    """Record that a child run has to stop, and why, and request it."""
    child = transition.statuses[path].child
    if child is None or child.stopping is not None:
        return
    child = changed_child(child, stopping=str(reason))
    transition.update(path, child=child)
    fact = found(transition, child)
    if fact is not None:
        repeat(transition, fact, child)
    transition.requeue_at(transition.now + LOOK_AFTER)


def repeat(transition: Transition, fact: ChildFact, child: ChildStatus) -> None:
    """Request what the status says: stop or continue, suspend or not."""
    ask(transition, fact, stopping=child.stopping is not None)


def ask(transition: Transition, fact: ChildFact, *, stopping: bool) -> None:
    """Request that a child run stops or continues, and that it is suspended like this run."""
    wanted = Requests(
        cancel=stopping,
        skip_finally=stopping and bool(transition.spec.skip_finally),
        suspend=bool(transition.spec.suspend),
    )
    patch = patches.request(fact, wanted)
    if patch is not None:
        transition.after.append(patch)


def repeat_round(transition: Transition, fact: ChildFact, child: ChildStatus) -> None:
    """Request the round that the status names. A local template is part of the definition of this
    run, so its child run takes it as it is in this round."""
    rerun = transition.spec.rerun
    latest = fact.template.local or (rerun is not None and rerun.template == "Latest")
    names = requesters(transition.observed)
    patch = patches.request_round(fact, child, latest=latest, requesters=names)
    transition.after.append(patch)
