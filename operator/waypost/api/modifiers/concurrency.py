"""`concurrency` of a node or of a run: how many may hold the same key at the same time."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model

MAX_SLOTS = 100
MAX_KEY = 200  # characters of an evaluated key
DEFAULT_LIMIT = 1


class Concurrency(Model):
    """Limit on executions that hold the same key at the same time, in all runs of the namespace.
    Only for python, container, agent, http and workflow; the child run of a workflow node holds the
    key from its start to its end."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=2056)] = Field(
        description='Name of what is limited, for example "crm-${inputs.tenant}". It is evaluated '
        f"before each attempt, to a text of 1 to {MAX_KEY} characters.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SLOTS,
        description="Maximum number of executions that hold the key at the same time. Where "
        f"executions of one key have different limits, the smallest counts. Default "
        f"{DEFAULT_LIMIT}.",
    )
    when_full: Literal["Wait", "Skip"] | None = Field(
        default=None,
        description="What happens while all slots of the key are taken. Wait (default): the node "
        "waits, without a pod. Skip: the node is Skipped at once.",
    )

    @property
    def slots(self) -> int:
        """The limit, with its default."""
        return self.limit if self.limit is not None else DEFAULT_LIMIT


class RunConcurrency(Model):
    """Limit on runs that hold the same key at the same time in the namespace. A run holds it from
    its start to its end."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=2056)] = Field(
        description='Name of what is limited, for example "deploy-${inputs.target}". It sees '
        f"inputs and run, and must be a text of 1 to {MAX_KEY} characters.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SLOTS,
        description=f"Maximum number of runs that hold the key. Default {DEFAULT_LIMIT}.",
    )
    when_full: Literal["Wait", "Skip", "Replace"] | None = Field(
        default=None,
        description="What happens while all slots of the key are taken. Wait (default): nothing of "
        "the run starts. Skip: the run ends at once as Cancelled with SlotTaken. Replace: older "
        "runs with Replace and the same key are cancelled, and the run starts after their end; "
        "only with limit 1.",
    )

    @property
    def slots(self) -> int:
        """The limit, with its default."""
        return self.limit if self.limit is not None else DEFAULT_LIMIT


def key_problem(key: str) -> str:
    """Why a key cannot be used; "" if it can."""
    if not key.strip():
        return "the key is empty; give what is limited a name"
    if len(key) > MAX_KEY:
        return f"the key has {len(key)} characters, the limit is {MAX_KEY}"
    if not key.isprintable():
        return f"the key {key!r} has characters that cannot be printed; remove them"
    return ""
