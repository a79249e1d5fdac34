"""Status of the items of a map: all that is recorded of up to 1,000 items in a few kilobytes."""

import re
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import JsonObject, StatusModel, Timestamp
from waypost.api.items.states import MAX_ITEMS, ItemState, parsed_states

MAX_OPEN: Final = 100  # items that have begun and not ended
MAX_BLOCKS: Final = 128
MAX_FAILURES: Final = 3  # listed in status
IDENTITY: Final = re.compile(r"^[^=!]*? #([0-9a-f]+)")  # of an item, in its text
RecordName = Annotated[str, StringConstraints(max_length=253)]
OpenText = Annotated[str, StringConstraints(max_length=360)]


class ItemFailure(StatusModel):
    """An item that failed."""

    index: int = Field(ge=0, le=MAX_ITEMS - 1, description="Index of the item, from 0.")
    reason: str = Field(max_length=64, description="Reason of the failure.")
    message: str | None = Field(default=None, max_length=120, description="Explanation for people.")


class ItemsStatus(StatusModel):
    """The items of a node with forEach."""

    round: int = Field(ge=1, description="Round in which the list was evaluated.")
    total: int = Field(ge=0, le=MAX_ITEMS, description="Number of items.")
    succeeded: int | None = Field(default=None, ge=0, description="Number of items with a result.")
    failed: int | None = Field(default=None, ge=0, description="Number of items that failed.")
    at: Timestamp | None = Field(
        default=None, description="Time from which the seconds in open are counted."
    )
    before: int | None = Field(
        default=None,
        ge=0,
        description="Number of the latest attempt before this list. Attempts of its items have "
        "higher numbers.",
    )
    source: str | None = Field(
        default=None,
        max_length=80,
        description="Digest of forEach.items and of the inputs of the run that it reads.",
    )
    list_record: RecordName | None = Field(
        default=None, description="NodeRecord that holds the list and the identities of its items."
    )
    states: str | None = Field(
        default=None,
        max_length=5120,
        description="State of each item, by index: a letter, the number of its latest attempt, and "
        "*count for several equal items. P not started, R running, B waits for its next attempt, H "
        "waits for a missing resource or for the budget, W waits for an answer, S succeeded, F "
        "failed, U failed with UnknownEffect, C cancelled, X running for a list that was replaced.",
    )
    open: list[OpenText] | None = Field(
        default=None,
        max_length=MAX_OPEN,
        description="Items that have begun and not ended: index, seconds after at, counters and "
        "reason.",
    )
    size: int | None = Field(default=None, ge=0, description="Bytes of the outputs so far.")
    facts: int | None = Field(default=None, ge=0, description="Facts remembered so far.")
    reasons: dict[Annotated[str, StringConstraints(max_length=64)], int] | None = Field(
        default=None, max_length=32, description="Number of failed items by reason."
    )
    failures: list[ItemFailure] | None = Field(
        default=None, max_length=MAX_FAILURES, description="The first failed items by index."
    )
    fresh: JsonObject | None = Field(
        default=None,
        max_length=MAX_ITEMS,
        description="Results by index that are in no block yet.",
    )
    blocks: list[RecordName] | None = Field(
        default=None,
        max_length=MAX_BLOCKS,
        description="NodeRecords that hold the other results.",
    )
    doomed: str | None = Field(
        default=None,
        max_length=64,
        description="Reason with which the node will fail once no item is running. No other item "
        "starts.",
    )
    reusable: bool | None = Field(
        default=None,
        description="The list is of an earlier round. true: items with the same identity in the "
        "next list keep their results.",
    )
    continues: bool | None = Field(
        default=None,
        description="The list is of an earlier round, and the definition of the node has changed. "
        "true: items with the same identity in the next list continue their child runs.",
    )
    again: list[Annotated[int, Field(ge=0, le=MAX_ITEMS - 1)]] | None = Field(
        default=None,
        max_length=MAX_ITEMS,
        description="Indexes of the items of this list that rerun.from has named. Their results "
        "are not kept.",
    )
    repeated: bool | None = Field(
        default=None,
        description="Whether rerun.from has named an item of this or of an earlier list.",
    )
    sealed: RecordName | None = Field(
        default=None,
        description="NodeRecord that holds states, list and results after the node has ended.",
    )

    def state_of(self, index: int) -> ItemState | None:
        """The state of an item; None for an index beyond the list, or after the node has ended."""
        states = parsed_states(self.states or "")
        return states[index] if index < len(states) else None
