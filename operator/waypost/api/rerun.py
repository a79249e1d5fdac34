"""Rerun: a new round of a run, requested by a person, which repeats a part of its nodes."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from waypost.api.base import UNIQUE_ITEMS, JsonValue, Model, NodeName, NodeOrItem
from waypost.api.paths import parse_path
from waypost.api.template.parent import UserName


class Rerun(Model):
    """Start a new round by raising round: kubectl patch aw NAME --type merge -p
    '{"spec":{"rerun":{"round":2}}}'. Failed and cancelled nodes and everything after them run
    again with the spec of this update. Every other checkpoint is kept if the definition of its
    node is unchanged."""

    round: int = Field(
        ge=2,
        le=1000000,
        description="Number of the round. A run starts in round 1, and the number can only grow. "
        "Raising it starts a round; the same update can change any other field of spec.",
    )
    from_: list[NodeOrItem] | None = Field(
        default=None,
        alias="from",
        max_length=200,
        description="Nodes to run again whatever their result, with everything after them. A node "
        "with effect: once is repeated only if it is listed here. An item of a node with forEach "
        "is named by its index in the last list, such as scan/3: then the other items that "
        "succeeded are kept. Default: the failed and cancelled nodes.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    outputs: dict[NodeName, JsonValue] | None = Field(
        default=None,
        max_length=50,
        description="Outputs by node, entered by a person instead of running the node. They must "
        "match its outputSchema. Everything after these nodes runs again. Not for approval nodes.",
    )
    template: Literal["Latest"] | None = Field(
        default=None,
        description="Only with templateRef. Latest: this round takes the current version of the "
        "template. Default: the version that the run was accepted with, unless templateRef names "
        "another template.",
    )
    memory: Literal["Refresh"] | None = Field(
        default=None, description="Refresh: read the memory again."
    )
    skip: list[NodeName] | None = Field(
        default=None,
        max_length=200,
        description="Nodes to skip in this round. They end as Skipped. Not for approval nodes.",
        json_schema_extra=UNIQUE_ITEMS,
    )

    requested_by: UserName | None = Field(
        default=None,
        description="User name of the person who raised round. The admission policy refuses the "
        "name of another user. This person cannot answer the Approvals of the round.",
    )

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that `from` names."""
        return frozenset(name for name in self.from_ or () if "/" not in name)

    def items_of(self, node: str) -> list[int]:
        """The indexes of the items of a node that `from` names, in order."""
        return sorted(index for name, index in self.items() if name == node)

    def items(self) -> Iterator[tuple[str, int]]:
        """The items that `from` names: name of the node and index."""
        for name in self.from_ or ():
            if (index := parse_path(name).index) is not None:
                yield parse_path(name).node, index
