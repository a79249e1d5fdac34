"""The facts of the nodes that succeed in a pass: into the outbox, in the write that records them
(S738)."""

from waypost.api.base import JsonObject
from waypost.compiler.memory.rules import review_of
from waypost.engine.memory import outbox
from waypost.engine.memory.identity import kept_for, origin_of
from waypost.engine.state.decision import EntriesStored
from waypost.engine.state.outcome import Remembered
from waypost.engine.state.transition import Transition
from waypost.kube.memory.remembered import Stated, fact
from waypost.protocol import ijson


def keep(transition: Transition) -> None:
    """Put the facts of this pass into the outbox. Changes `transition`."""
    if not transition.remembered:
        return
    made = [one for each in transition.remembered for one in _entries(transition, each)]
    problem = outbox.put(transition, made)
    if problem is not None:  # only one that is permanent: the others hold their node
        outbox.note(transition, refused=problem.message)
        return
    round_, now = transition.observed.status.round, transition.now
    transition.entries_stored += [
        EntriesStored(each.path, round_, len(each.facts), now) for each in transition.remembered
    ]


def _entries(transition: Transition, remembered: Remembered) -> list[JsonObject]:
    memory = transition.spec.memory
    assert memory is not None, "the node remembers"
    node, path = transition.node(remembered.path), remembered.path
    digest, review = ijson.digest(memory.facts_meet), review_of(transition.spec, node)
    origin, kept = origin_of(transition.observed, transition.now), kept_for(memory)
    stated = [
        Stated(
            value=value,
            path=path,
            ordinal=at,
            attempt=remembered.attempt,
            output=remembered.output,
            fact_schema=digest,
            review=review,
        )
        for at, value in remembered.facts.items()
    ]
    return [fact(origin, one, kept=kept) for one in stated]
