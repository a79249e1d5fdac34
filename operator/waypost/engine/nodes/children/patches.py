"""Patches of a child run, and the child run that follows another one. Without the transition."""

from collections.abc import Iterable
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.changes import changed_child
from waypost.api.nodes.artifacts import PassedArtifact
from waypost.api.paths import is_item, parse_path
from waypost.api.state.child import ChildStatus
from waypost.api.status import NodeStatus
from waypost.api.template.parent import NodeConcurrency
from waypost.engine.state.decision import After, PatchChild
from waypost.engine.state.executions import attempts_since_iteration
from waypost.engine.state.lent import as_budget
from waypost.engine.state.observed import Observed
from waypost.kube import names
from waypost.kube.facts.children import ChildFact, Requests
from waypost.protocol.reasons import Reason

_WIRE: Final = {"cancel": "cancel", "skip_finally": "skipFinally", "suspend": "suspend"}


def following(observed: Observed, status: NodeStatus, child: ChildStatus) -> ChildStatus:
    """The child run that a node starts instead of `child`, which has ended or is gone."""
    generation = child.generation + 1
    name = names.child_name(
        run=observed.name, run_uid=observed.uid, path=status.path, generation=generation
    )
    return ChildStatus(name=name, generation=generation, round=1, earlier=status.usage)


def after_stop(observed: Observed, status: NodeStatus, child: ChildStatus) -> ChildStatus | None:
    """The child run that a node starts instead of one that a round has stopped; None if the round
    has made it a node of another kind."""
    node = observed.definition.graph.nodes.get(status.path)  # None: an item, of a replaced list
    calls = node is not None and node.workflow is not None and node.for_each is None
    return following(observed, status, child) if calls else None


def in_next_round(observed: Observed, status: NodeStatus, *, continues: bool) -> ChildStatus | None:
    """The child run with which a node begins a round: the same one if it continues, one that is
    being stopped, or the next one. None if it has none to stop and starts none."""
    child = status.child
    if child is None:
        return None
    if status.phase in ("Running", "Superseding"):
        return changed_child(child, stopping=child.stopping or str(Reason.SUPERSEDED))
    other = after_stop(observed, status, child)
    unborn = child.uid is None and status.phase in ("Pending", "Backoff")
    same = (continues and not has_given_iteration(status)) or unborn
    return child if other is not None and same else other


def has_given_iteration(status: NodeStatus) -> bool:
    """Whether the child run of a node with repeat has given the output of its iteration."""
    child = status.child
    began = status.loop is not None and child is not None and child.uid is not None
    return began and attempts_since_iteration(status) == 0


def is_superseded(status: NodeStatus) -> bool:
    """Whether a round has replaced a node whose child run has not ended."""
    return status.phase == "Superseding" and status.child is not None


def request(fact: ChildFact, wanted: Requests) -> PatchChild | None:
    """The patch after which a child has these requests of its parent; None if it has them."""
    changes: JsonObject = {
        wire: getattr(wanted, name) or None
        for name, wire in _WIRE.items()
        if getattr(wanted, name) != getattr(fact.requests, name)
    }
    if not changes:
        return None
    body = {"metadata": {"uid": fact.uid}, "spec": {"parent": changes}}
    return PatchChild(name=fact.name, uid=fact.uid, body=body)


def request_round(
    fact: ChildFact,
    child: ChildStatus,
    *,
    latest: bool,
    requesters: list[str],
    artifacts: list[PassedArtifact] | None,
    concurrency: NodeConcurrency | None,
) -> PatchChild:
    """The patch that raises the round of a child, for these people, and makes it wait for its
    parent again. It fails if the child has changed since it was observed.

    Args:
        fact: The child.
        child: What the status says of it.
        latest: Whether the round takes its template as it is now.
        requesters: The people who cannot answer its Approvals.
        artifacts: Those that its inputs name; None to keep what it has.
        concurrency: The key that it holds for its node; None if it holds none.
    """
    fields = ("from", "outputs", "skip", "template", "memory", "requestedBy")
    rerun: JsonObject = dict.fromkeys(fields)
    rerun["round"] = child.round
    key = concurrency.model_dump(by_alias=True, mode="json") if concurrency else None
    parent: JsonObject = {"budget": _budget(child), "concurrency": key}
    if requesters:
        parent["requesters"] = requesters
    if artifacts:
        parent["artifacts"] = [one.model_dump(by_alias=True, mode="json") for one in artifacts]
    spec: JsonObject = {"rerun": rerun, "parent": parent}
    if latest:
        rerun["template"] = "Latest"
    finalizers = [*_without_ours(fact.finalizers), meta.FINALIZER_CHILD]
    metadata = _metadata(fact.uid, fact.resource_version, finalizers)
    return PatchChild(
        name=fact.name,
        uid=fact.uid,
        body={"metadata": metadata, "spec": spec},
        starts=True,
    )


def _budget(child: ChildStatus) -> JsonObject | None:
    """The budget of a child in a merge patch, which removes the limits that are null."""
    budget = as_budget(child.budget)
    return None if budget is None else budget.model_dump(by_alias=True, mode="json")


def release(fact: ChildFact) -> PatchChild:
    """The patch that takes the finalizer off a child."""
    metadata = _metadata(fact.uid, fact.resource_version, _without_ours(fact.finalizers))
    return PatchChild(name=fact.name, uid=fact.uid, body={"metadata": metadata})


def release_itself(observed: Observed) -> PatchChild:
    """The patch that takes the finalizer off a run that is a child."""
    left = _without_ours(observed.finalizers)
    metadata = _metadata(observed.uid, observed.resource_version, left)
    return PatchChild(name=observed.name, uid=observed.uid, body={"metadata": metadata})


def releases(observed: Observed) -> tuple[PatchChild, ...]:
    """The patches that release the child runs whose end is in the status of a finished run. One of
    a later round is left out: this copy of the run may be older."""
    named = {node.child.name: node.child for node in observed.status.nodes if node.child}
    kept = keeping_artifacts(observed.status.nodes)
    return tuple(
        release(fact)
        for name, fact in observed.children.items()
        if fact.held and (fact.finished or fact.deleting) and name not in kept
        if fact.requests.cancel
        or ((child := named.get(name)) is not None and fact.requested_round <= child.round)
        or _is_of_ended_item(observed, fact)
    )


def _is_of_ended_item(observed: Observed, fact: ChildFact) -> bool:
    """Whether a child run was started by an item of a list that this status knows, and a later
    round has not continued it."""
    if not is_item(fact.path) or fact.requested_round > 1:
        return False
    map_ = parse_path(fact.path).entry
    status = next((node for node in observed.status.nodes if node.path == map_), None)
    last = (status.attempt or 0) if status is not None else 0
    return any(
        fact.name
        == names.child_name(
            run=observed.name, run_uid=observed.uid, path=fact.path, generation=number
        )
        for number in range(1, last + 1)
    )


def keeping_artifacts(nodes: Iterable[NodeStatus]) -> set[str]:
    """The names of child runs whose artifacts the checkpoints of these nodes name: the artifacts
    would be deleted with them."""
    return {node.child.name for node in nodes if node.child is not None and node.artifacts}


def changes(actions: Iterable[After], fact: ChildFact) -> bool:
    """Whether one of these actions changes a child."""
    return any(isinstance(one, PatchChild) and one.uid == fact.uid for one in actions)


def reaching_next_round(child: ChildStatus, fact: ChildFact) -> ChildStatus:
    """The child with the round after the one that it is in."""
    return changed_child(child, round=max(fact.round, fact.requested_round) + 1, stopping=None)


def _without_ours(finalizers: Iterable[str]) -> list[str]:
    return [one for one in finalizers if one != meta.FINALIZER_CHILD]


def _metadata(uid: str, resource_version: str, finalizers: list[str]) -> JsonObject:
    """The metadata of a patch that fails if the run has changed since it was observed."""
    return {"uid": uid, "resourceVersion": resource_version, "finalizers": finalizers}
