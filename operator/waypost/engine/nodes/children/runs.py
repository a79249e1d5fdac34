"""The child run of a `workflow` node: its names, its manifest, and patches of it."""

from waypost.api.base import JsonObject
from waypost.api.paths import is_item
from waypost.api.state.child import ChildStatus
from waypost.api.template.called import Called
from waypost.api.template.parent import MAX_CHILDREN, MAX_LEVELS, Parent
from waypost.api.workflow import Node
from waypost.engine.nodes.children import patches
from waypost.engine.nodes.gates.requesters import requesters
from waypost.engine.scheduling.inputs import own_context
from waypost.engine.slots.keys import keys_below, of_child
from waypost.engine.state.artifacts import passed
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.lent import as_budget
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.engine.state.visible import scheduled_at
from waypost.kube import names
from waypost.kube.manifests.child_run import child_manifest


def template_of(transition: Transition, path: str) -> Called:
    """The template that the child run of a node runs."""
    kind = transition.node(path).workflow
    assert kind is not None, "only workflow nodes have child runs"
    return kind.called


def first(transition: Transition, path: str) -> ChildStatus:
    """The child run that a node starts first. Its generation follows those of child runs that a
    node with this path started before a round removed it or made it one of another kind. That of an
    item is also the number of its attempt, which is higher than those of all earlier lists; that of
    a compensation, which is higher than those of all earlier rounds."""
    owner, item = transition.owner, is_item(path)
    counted = item or path in transition.graph.compensations
    generation = (transition.statuses[path].attempt or 0) if counted else 0
    while True:
        generation += 1
        name = names.child_name(run=owner.name, run_uid=owner.uid, path=path, generation=generation)
        if name not in transition.observed.children:
            break
    earlier = None if item else transition.statuses[path].usage
    return ChildStatus(name=name, generation=generation, round=1, earlier=earlier)


def following(transition: Transition, path: str, child: ChildStatus) -> ChildStatus:
    """The child run that a node or an item starts instead of `child`."""
    if is_item(path):
        return first(transition, path)
    return patches.following(transition.observed, transition.statuses[path], child)


def lineage(transition: Transition, path: str) -> Parent | Invalid:
    """What the child run of a node has from this run; Invalid if it would be too deep in the tree,
    call itself, or be one too many."""
    observed, owner, template = transition.observed, transition.owner, template_of(transition, path)
    above, pin = observed.lineage, observed.status.template
    local = above is not None and above.local is True
    own = str(Called(pin.name, local=local)) if pin is not None else ""
    chain = [*(above.templates if above is not None else ()), own]
    shown = " -> ".join([*(name or "(nodes in the run)" for name in chain), str(template)])
    if template.name in chain and not template.local:  # local ones were checked statically
        return Invalid(f"template {template} calls itself: {shown}; end the recursion")
    if len(chain) >= MAX_LEVELS:
        text = f"a tree has at most {MAX_LEVELS} levels of runs, this would be one more: {shown}"
        return Invalid(f"{text}; move nodes of the deepest template into the one above")
    allowed = above.children if above is not None else MAX_CHILDREN
    count = _beside(transition, path)
    if allowed < count:
        return Invalid(
            f"the workflow nodes of this run may have {count} child runs at the same time, and at "
            f"most {allowed} runs may exist below it (a tree has at most {MAX_CHILDREN}): {shown}; "
            "with forEach, set a lower maxParallel"
        )
    return Parent(
        run=owner.name,
        uid=owner.uid,
        local=template.local or None,
        root=above.root if above is not None else owner.uid,
        path=path,
        templates=chain,
        keys=keys_below(transition) or None,
        children=(allowed - count) // count,
        requesters=requesters(observed) or None,
        suspend=True if transition.spec.suspend else None,
    )


def _beside(transition: Transition, path: str) -> int:
    """How many child runs of this run may exist while that of a node does. Compensations run one at
    a time, when all other child runs have ended."""
    graph = transition.graph
    if node_of(path) in graph.compensations:
        return _places(transition.node(path))
    others = (node for name, node in graph.nodes.items() if name not in graph.compensations)
    return sum(_places(node) for node in others)


def _places(node: Node) -> int:
    """How many child runs of a node may exist that have not ended."""
    if node.workflow is None:
        return 0
    return node.for_each.places if node.for_each is not None else 1


def manifest(
    transition: Transition, path: str, child: ChildStatus, *, inputs: Inputs, parent: Parent
) -> JsonObject | Invalid:
    """The manifest of a child run; Invalid if its inputs name too many artifacts, or if its node
    has a key that cannot be used."""
    artifacts = passed(transition, inputs.values)
    if isinstance(artifacts, Invalid):
        return artifacts
    view = own_context(inputs, path=path, attempt=child.generation)
    key = of_child(transition, path, view)
    if isinstance(key, Invalid):
        return key
    given = {"artifacts": artifacts or None, "concurrency": key}
    budget = as_budget(child.budget)
    return child_manifest(
        name=child.name,
        owner=transition.owner,
        template=template_of(transition, path),
        inputs=inputs.values,
        parent=parent.model_copy(update={"budget": budget, **given}),
        scheduled_at=scheduled_at(transition.observed),
    )
