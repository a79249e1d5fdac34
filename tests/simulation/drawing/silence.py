"""Which scenarios have machines that start no pod for a while, and say so only in Events. Drawn by
itself and last, so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.play.silence import WORDS
from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.05
_PATIENT: Final = 300.0  # a queueTimeout that such a time does not use up


def with_silence(made: Scenario) -> Scenario:
    """In every twentieth scenario without rounds, pauses, others, deadlines, maps, choices and a
    template, whose pods may wait so long. Most of them have no other trouble."""
    rng = random.Random(f"silence of {made.seed}")
    pods = [node for node in made.nodes if node.has_pod]
    graphs = any(node.is_map or node.kind == "first" for node in made.nodes)
    taken = made.needs_people or made.is_strange or made.template is not None or graphs
    patient = pods and all(node.queue_timeout >= _PATIENT for node in pods)
    if rng.random() > _SHARE or taken or made.is_hurried or not patient:
        return made
    others = made.troubles if rng.random() < 0.25 else ()
    trouble = Trouble(
        "silence",
        at=rng.choice([0.0, 0.0, 1.0, 4.0]),
        seconds=rng.choice([20.0, 90.0, 120.0, 150.0]),
        choice=rng.choice(sorted(WORDS)),
    )
    return replace(made, troubles=(*others, trouble))
