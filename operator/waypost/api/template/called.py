"""The template that a child run runs, as messages and the block `spec.parent` name it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Called:
    """A template: an AgentWorkflowTemplate, or a local one of the run that calls it."""

    name: str
    local: bool = False

    def __str__(self) -> str:
        return f"{self.name} (local)" if self.local else self.name
