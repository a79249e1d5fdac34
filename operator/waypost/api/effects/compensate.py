"""`compensate`: how the effect of a node is undone when the run fails or is cancelled."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import INPUT_KEY_PATTERN, Duration, Effect, JsonValue, Model, keyed_by
from waypost.api.effects.retry import Retry
from waypost.api.kinds.container import ContainerKind
from waypost.api.kinds.http import HttpKind
from waypost.api.kinds.python import PythonKind
from waypost.api.kinds.workflow import WorkflowKind
from waypost.api.pod import EnvVar

DEFAULT_LIMIT: Final = 5  # extra attempts: an effect that is not undone needs a person

# Fewer than in a node: each of 200 nodes can have both, and the API server checks each variable.
_Env = Annotated[
    list[EnvVar] | None,
    Field(
        max_length=16,
        description="Environment variables.",
        json_schema_extra=keyed_by("name"),
    ),
]
_InputKey = Annotated[str, StringConstraints(pattern=INPUT_KEY_PATTERN, max_length=63)]


class PythonCompensation(PythonKind):
    """Run a Python function. Exactly one of source and function."""

    env: _Env = None


class ContainerCompensation(ContainerKind):
    """Run any image."""

    env: _Env = None


class Compensate(Model):
    """Undoes the effect of this node, if it succeeded or its effect is unknown, when the run fails
    or is cancelled. Exactly one of python, container, http and workflow."""

    python: PythonCompensation | None = Field(default=None, description="Run a Python function.")
    container: ContainerCompensation | None = Field(default=None, description="Run any image.")
    http: HttpKind | None = Field(default=None, description="Make an HTTP request.")
    workflow: WorkflowKind | None = Field(
        default=None, description="Run a template as a child run."
    )
    inputs: dict[_InputKey, JsonValue] | None = Field(
        default=None,
        max_length=64,
        description="Inputs by name. ${...} is evaluated. self is the node or item that is undone: "
        "self.inputs, self.output and self.idempotencyKey.",
    )
    timeout: Duration | None = Field(
        default=None, description="Maximum duration of one attempt. Default 10m. Not with workflow."
    )
    retry: Retry | None = Field(
        default=None,
        description=f"Extra attempts. Default limit: {DEFAULT_LIMIT}. Not with workflow.",
    )
    effect: Effect | None = Field(
        default=None,
        description="Effect of running the compensation twice. Default idempotent, also for http "
        "with POST and PATCH. once: no second attempt once the program may have started. Not with "
        "workflow.",
    )

    @property
    def retries(self) -> Retry | None:
        """`retry` with its default limit, unless no second attempt is allowed."""
        if self.workflow is not None:
            return None  # the nodes of the template have them
        given = self.retry or Retry()
        if given.limit is not None or given.never or self.effect == "once":
            return self.retry
        return given.model_copy(update={"limit": DEFAULT_LIMIT})
