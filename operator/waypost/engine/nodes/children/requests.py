"""What the parent requests of a child run: stop, suspend. Repeated until it shows it."""

from datetime import timedelta
from typing import Final

from waypost.api.changes import changed_child
from waypost.api.state.child import ChildStatus
from waypost.engine.nodes.children import patches
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
