"""What a pass has observed of the slots of keys, and what it decides about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from waypost.api.state.slot import RunSlot
from waypost.api.status import NodeStatus
from waypost.kube import names
from waypost.kube.facts.slots import KeySlots, SlotClaim, SlotWait
from waypost.protocol.reasons import Reason


@dataclass(frozen=True)
class SlotsDecided:
    """What a pass decides about slots, for the memory of this operator.

    Attributes:
        unread: Digests of keys whose slots must be read before the decision counts.
        waits: What waits for a slot after this pass.
        claims: The slots that this pass takes.
        held: Number of slots that the run holds after this pass.
    """

    unread: frozenset[str] = frozenset()
    waits: tuple[SlotWait, ...] = ()
    claims: tuple[SlotClaim, ...] = ()
    held: int = 0


NO_SLOTS: Final = SlotsDecided()


@dataclass
class SlotsOfPass:
    """The same while a pass decides."""

    known: Mapping[str, KeySlots] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    waits: list[SlotWait] = field(default_factory=list)
    claims: list[SlotClaim] = field(default_factory=list)
    held_by_items: int = 0
    of_run: RunSlot | None = None  # the slot of the run, if this pass changes it
    refusal: tuple[Reason, str] | None = None  # why the run does not begin: reason and message
    message: str = ""  # what the run waits for before it begins
    rejected: bool = False  # `message` lasts until a person changes something


@dataclass(frozen=True)
class Wanted:
    """A slot that an attempt needs.

    Attributes:
        key: The evaluated key.
        limit: The limit of its node.
        skips: Whether its node does not wait.
        replaces: Whether older runs that agree end for it, and it ends for younger ones.
    """

    key: str
    limit: int
    skips: bool
    replaces: bool = False

    @property
    def digest(self) -> str:
        """Digest of the key."""
        return names.slot_digest(self.key)


def slot_of(status: NodeStatus) -> str | None:
    """The slot of the attempt that runs; None if it needs none, or none runs."""
    attempt = status.open_attempt
    return attempt.slot if attempt is not None else None
