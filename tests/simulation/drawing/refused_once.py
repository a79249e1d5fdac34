"""Which scenarios have Jobs that are refused once, and then not tried for long (S520). Drawn by
itself and last, so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.025
_LIFTED: Final = 20.0  # while nobody tries
_HASTY: Final = 60.0


def with_refused_once(made: Scenario) -> Scenario:
    """In every fortieth scenario without rounds, pauses, others, deadlines and a template: Jobs are
    refused for a while. Before that is lifted, the operator is cut off or a person suspends the
    run, until the queueTimeout has passed and the last refusal counts no more."""
    rng = random.Random(f"refused once of {made.seed}")
    taken = made.needs_people or made.is_strange or made.template is not None or made.is_hurried
    if rng.random() > _SHARE or taken:
        return made
    answer = rng.choice(["quota", "webhook"])
    absence = rng.choice(["outage", "suspend"])
    troubles = (
        Trouble("refuse", at=0.0, seconds=_LIFTED, number=1, choice=f"{answer} jobs"),
        Trouble(absence, at=rng.choice([4.0, 7.0, 12.0]), seconds=rng.choice([80.0, 150.0, 200.0])),
    )
    nodes = tuple(replace(n, queue_timeout=_HASTY) if n.has_pod else n for n in made.nodes)
    return replace(made, nodes=nodes, troubles=troubles)
