"""Which runs are runs of a template, and what becomes of it. Drawn by itself, so that it changes
nothing of the rest."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Scenario
from tests.simulation.scenario.template_plan import TemplatePlan

_SHARE: Final = 0.1
_LATER: Final = (None, None, 0.0, 0.5, 3.0, 20.0)


def with_template(made: Scenario) -> Scenario:
    """In every tenth scenario in which no person looks after the run and nobody else has a hand in
    the cluster."""
    rng = random.Random(f"template of {made.seed}")
    if rng.random() > _SHARE or made.needs_people or made.is_strange:
        return made
    plan = TemplatePlan(
        comes=rng.choice([0.0, 0.0, 0.05, 2.0, 30.0, 90.0]),
        other_first=rng.random() < 0.5,
        edit=rng.choice(_LATER),
        delete=rng.choice([None, *_LATER]),
        lose=rng.choice(_LATER),
    )
    if plan.may_be_lost and any(node.last or node.limit or node.is_map for node in made.nodes):
        plan = replace(plan, lose=None)  # without the definition there is no finally and no retry
    return replace(made, template=plan)
