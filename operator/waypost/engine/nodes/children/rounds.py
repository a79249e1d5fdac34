"""The round that a parent requests of a child run. Repeated until the child shows it."""

from waypost.api.state.child import ChildStatus
from waypost.engine.nodes.children import patches
from waypost.engine.nodes.gates.requesters import requesters
from waypost.engine.scheduling.inputs import own_context, resolve
from waypost.engine.slots.keys import of_child
from waypost.engine.state.artifacts import passed
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.transition import Transition
from waypost.kube.facts.children import ChildFact


def repeat(transition: Transition, path: str, fact: ChildFact, child: ChildStatus) -> None:
    """Request the round that the status of a node or an item names. A local template is part of the
    definition of this run, so its child run takes it as it is in this round."""
    rerun = transition.spec.rerun
    latest = fact.template.local or (rerun is not None and rerun.template == "Latest")
    names = requesters(transition.observed)
    # The same content may be in another NodeRecord now.
    inputs = resolve(transition, path)
    given, key = None, None
    if isinstance(inputs, Inputs):
        given = passed(transition, inputs.values)
        view = own_context(inputs, path=path, attempt=child.generation)
        key = of_child(transition, path, view)
    patch = patches.request_round(
        fact,
        child,
        latest=latest,
        requesters=names,
        artifacts=given if isinstance(given, list) else None,
        concurrency=None if isinstance(key, Invalid) else key,
    )
    transition.after.append(patch)
