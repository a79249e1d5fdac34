"""Seeded bugs of runs of templates: what a run is pinned to, and when its record is written."""

from typing import Any

import pytest
from waypost.api.status import AgentWorkflowStatus
from waypost.compiler.origin import Keep, Take, needed
from waypost.engine.run import hold, pinning
from waypost.engine.state.observed import Observed

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import bug


def _edited_early(plan: Scenario) -> bool:
    """Whether the template changes while the run is young."""
    return plan.template is not None and plan.template.edit is not None and plan.template.edit < 1


@bug("VT1", "I3", "I6", "I16", focus=_edited_early)
def _template_read_in_each_pass(patch: pytest.MonkeyPatch) -> None:
    def live(spec: Any, status: AgentWorkflowStatus, *, generation: int) -> Any:
        need = needed(spec, status, generation=generation)
        return Take(need.pin.name) if isinstance(need, Keep) else need

    patch.setattr("waypost.runtime.reads.definitions.needed", live)


@bug("VT1", focus=lambda plan: plan.template is not None)
def _status_before_the_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pinning, "records", lambda observed: [])


def _suspended_first(plan: Scenario) -> bool:
    template = plan.template
    return template is not None and template.other_first and template.comes > 1


@bug("VT1", focus=_suspended_first)
def _suspended_template_accepted(patch: pytest.MonkeyPatch) -> None:
    def nothing(observed: Observed) -> None:
        return None

    patch.setattr(hold, "suspension", nothing)
