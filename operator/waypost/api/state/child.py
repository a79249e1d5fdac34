"""The child run of a `workflow` node, as the status of its parent names it."""

from pydantic import Field

from waypost.api.base import StatusModel
from waypost.api.state.usage import Allotment, Usage


class ChildStatus(StatusModel):
    """The child run of a workflow node."""

    name: str = Field(max_length=63, description="Name of the child run.")
    uid: str | None = Field(
        default=None, max_length=64, description="uid of the child run, once it has been seen."
    )
    generation: int = Field(
        ge=1, description="Number of child runs that this node has started, this one included."
    )
    round: int = Field(
        ge=1, description="Round that the child run must end to give the result of the node."
    )
    stopping: str | None = Field(
        default=None,
        max_length=64,
        description="Reason with which the node will end. Set while its child run is being "
        "stopped.",
    )
    budget: Allotment | None = Field(
        default=None,
        description="Part of the budget of this run that is lent to the child run, over all rounds "
        "of the child run.",
    )
    earlier: Usage | None = Field(
        default=None, description="Resources that earlier child runs of this node used."
    )
