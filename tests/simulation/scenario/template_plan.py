"""What becomes of the template of a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from waypost.kube.objects import items
from waypost.ports.cluster import Obj

if TYPE_CHECKING:
    from tests.simulation.scenario.plan import Scenario


@dataclass(frozen=True)
class TemplatePlan:
    """What becomes of the template. Times are seconds: `comes` after the run was created, the
    others after it was accepted; None: never."""

    comes: float = 0.0  # when the definition of the plan is there
    other_first: bool = False  # before, it is suspended and has another definition; else missing
    edit: float | None = None  # it gets another definition
    delete: float | None = None
    lose: float | None = None  # a person deletes the record of the run

    @property
    def may_be_lost(self) -> bool:
        """Whether the record may be gone while the template has another content."""
        changed = self.edit is not None or self.delete is not None
        return self.lose is not None and changed


def ended_without_definition(scenario: "Scenario", status: Obj) -> bool:
    """Whether the run was cancelled before it was accepted, or after its definition was lost: then
    it has no outputs."""
    found = items(status, "conditions")
    refused = any(c["type"] == "Accepted" and c["status"] == "False" for c in found)
    return scenario.template is not None and refused
