"""Child runs that no node waits for any longer: cancel them, and let ended ones go."""

from typing import Final

from waypost.api.paths import is_item
from waypost.api.status import NodeStatus
from waypost.engine.nodes.children import patches, requests
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import IN_POD, Transition
from waypost.kube.facts.children import ChildFact
from waypost.protocol.reasons import Reason

# Reasons of nodes whose child run seemed not to exist.
_UNSEEN: Final = (Reason.CHILD_DELETED, Reason.LAUNCH_REJECTED)


def clean_up(transition: Transition) -> None:
    """Cancel child runs that no node waits for: those of nodes that a round has removed or has
    given another child, and those that were rejected and could be corrected."""
    for fact in transition.observed.children.values():
        if not _is_left_over(transition, fact) or fact.deleting:
            continue
        if fact.finished and fact.requests.cancel:
            continue
        requests.ask(transition, fact, stopping=True)


def release(transition: Transition) -> None:
    """Take the finalizer off the child runs whose end is in this status, or is of no use. One whose
    artifacts this run names stays: they would be deleted with it."""
    if not transition.observed.children:
        return
    kept = patches.keeping_artifacts(transition.node_statuses)
    for fact in transition.observed.children.values():
        node = _waiting(transition, fact)
        waits = node is not None and node.phase in IN_POD
        ended = fact.finished or fact.deleting
        if fact.held and not waits and ended and fact.name not in kept:
            patch = patches.release(fact)
            transition.after.append(patch)


def undone(transition: Transition) -> bool:
    """Whether a child run that no node waits for has not ended yet."""
    return any(
        _is_left_over(transition, fact) and not fact.finished and not fact.deleting
        for fact in transition.observed.children.values()
    )


def _names(status: NodeStatus, fact: ChildFact) -> bool:
    return status.child is not None and status.child.name == fact.name


def _waiting(transition: Transition, fact: ChildFact) -> NodeStatus | None:
    """The node or open item whose child run this is. An item keeps its child run in a later list,
    in which it may have another index, so the name decides."""
    if not is_item(fact.path):
        node = transition.statuses.get(fact.path)
        return node if node is not None and _names(node, fact) else None
    items = (*transition.statuses.values(), *transition.open_children.values())
    return next((one for one in items if is_item(one.path) and _names(one, fact)), None)


def _is_left_over(transition: Transition, fact: ChildFact) -> bool:
    node = _waiting(transition, fact)
    if node is None and is_item(fact.path) and node_of(fact.path) in transition.graph.nodes:
        # The end of an item is not in the status any longer. It leaves no child run that runs; one
        # in a later round is continued by a person.
        return fact.phase == "Rejected" or (not fact.finished and fact.requested_round == 1)
    if node is None:
        return True
    if is_item(fact.path):
        return False
    unseen = node.reason in _UNSEEN and not fact.finished
    return transition.ended(fact.path) and (fact.phase == "Rejected" or unseen)
