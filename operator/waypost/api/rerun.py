"""Running a run again, in part: a new round, asked for by a person."""

from pydantic import Field

from waypost.api.base import UNIQUE_ITEMS, JsonValue, Model, NodeName


class Rerun(Model):
    """Begin a new round. Failed and cancelled nodes and everything after them run again, with the
    spec as it is in this update; every other checkpoint is kept if the definition of its node is
    unchanged. Raise round to begin one: kubectl patch aw NAME --type merge -p
    '{"spec":{"rerun":{"round":2}}}'."""

    round: int = Field(
        ge=2,
        le=1000000,
        description="Number of the round; a run begins in round 1. Only up. Raising it begins a "
        "round, and any other field of spec may be changed in the same update.",
    )
    from_: list[NodeName] | None = Field(
        default=None,
        alias="from",
        max_length=200,
        description="Nodes to run again whatever became of them, and everything after them. "
        "A node with effect: once is repeated only if it is named here. Empty: the failed and "
        "cancelled ones.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    outputs: dict[NodeName, JsonValue] | None = Field(
        default=None,
        max_length=50,
        description="Results given by a person instead of running the node; they must meet its "
        "outputSchema. What comes after runs again. Not for approval nodes.",
    )
    skip: list[NodeName] | None = Field(
        default=None,
        max_length=200,
        description="Nodes to leave out in this round: they end Skipped. Not for approval nodes.",
        json_schema_extra=UNIQUE_ITEMS,
    )
