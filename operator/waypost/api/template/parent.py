"""What a child run has from the run whose `workflow` node started it."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Model
from waypost.api.kinds.agent import Budget
from waypost.api.modifiers.concurrency import MAX_KEY, MAX_SLOTS
from waypost.api.nodes.artifacts import PassedArtifact

# Runs from the root to the deepest child, both included.
MAX_LEVELS: Final = 5
MAX_CHILDREN: Final = 1000  # runs below a root at the same time
MAX_ARTIFACTS: Final = 32  # that the inputs of a child run name
# In each run of a branch of the tree: the person who started it, and who raised its round; and the
# person who wrote the schedule of the first one.
MAX_REQUESTERS: Final = 2 * MAX_LEVELS + 1

UserName = Annotated[str, StringConstraints(min_length=1, max_length=253)]
RequestedBy = Annotated[
    UserName | None,
    Field(
        description="User name of the person who started the run. It is set when the run is "
        "created, and cannot change. The admission policy refuses the name of another user. This "
        "person cannot answer the Approvals of the run."
    ),
]

_Uid = Annotated[str, StringConstraints(min_length=1, max_length=64)]
# Without the pattern of ObjectName: the operator writes them.
_Name = Annotated[str, StringConstraints(max_length=253)]


class Origin(Model):
    """Only the operator writes this block: what started the run, if no person created it."""

    schedule: _Name | None = Field(default=None, description="Name of the AgentWorkflowSchedule.")
    event: _Name | None = Field(default=None, description="Name of the WorkflowEvent.")
    requested_by: UserName | None = Field(
        default=None,
        description="User who wrote the template of the schedule. This person cannot answer the "
        "Approvals of the run.",
    )


class HeldKey(Model):
    """A key of concurrency that a run above holds."""

    key: Annotated[str, StringConstraints(max_length=200)] = Field(description="The key.")
    run: _Name = Field(description="Name of the run that holds it.")


class NodeConcurrency(Model):
    """The key of concurrency of the node in the parent run, evaluated. This run holds it from its
    start to its end."""

    key: Annotated[str, StringConstraints(max_length=MAX_KEY)] = Field(description="The key.")
    limit: int = Field(ge=1, le=MAX_SLOTS, description="Limit of the node.")


class Parent(Model):
    """Only the operator writes this block: the run and the node that this run is a child of, and
    what its parent requests of it."""

    run: _Name = Field(description="Name of the parent run.")
    uid: _Uid = Field(description="uid of the parent run.")
    root: _Uid = Field(description="uid of the run at the top of the tree.")
    path: Annotated[str, StringConstraints(max_length=128)] = Field(
        description="Path of the workflow node in the parent run."
    )
    local: bool | None = Field(
        default=None,
        description="true: templateRef names a local template, one in spec.templates of the parent "
        "run, instead of an AgentWorkflowTemplate.",
    )
    templates: list[_Name] = Field(
        max_length=MAX_LEVELS,
        description="Templates of the runs above, from the top of the tree. An empty text stands "
        "for a run with nodes in its spec; a local template has the addition (local).",
    )
    keys: list[HeldKey] | None = Field(
        default=None,
        max_length=MAX_LEVELS,
        description="Keys of concurrency that the runs above hold. This run cannot ask for them.",
    )
    concurrency: NodeConcurrency | None = Field(
        default=None, description="Key of the node that this run holds from its start to its end."
    )
    children: int = Field(
        ge=0, le=MAX_CHILDREN, description="Number of runs that may exist below this run."
    )
    budget: Budget | None = Field(
        default=None,
        description="Part of the budget of the parent that this run may use, over all its rounds.",
    )
    artifacts: list[PassedArtifact] | None = Field(
        default=None,
        max_length=MAX_ARTIFACTS,
        description="Artifacts of runs above that the inputs of this run name.",
    )
    requesters: list[UserName] | None = Field(
        default=None,
        max_length=MAX_REQUESTERS,
        description="People who started the runs above this one and their rounds. They cannot "
        "answer the Approvals of this run.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    cancel: bool | None = Field(default=None, description="true: the parent cancels this run.")
    skip_finally: bool | None = Field(
        default=None, description="true: the parent also stops the nodes in finally."
    )
    suspend: bool | None = Field(
        default=None, description="true: the parent is suspended, so this run starts nothing."
    )
