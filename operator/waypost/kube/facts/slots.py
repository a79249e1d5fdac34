"""Slots of keys: the facts that the engine needs of their Leases. Reading a body never raises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from waypost.api import meta
from waypost.api.checkpoints import checkpoint_of
from waypost.api.status import AgentWorkflowStatus
from waypost.kube.objects import section, text, whole_number
from waypost.kube.timestamps import parse_timestamp

OF_RUN: Final = "-"  # in place of a path: the run itself holds the slot
_WITHOUT_LIMIT: Final = 1


@dataclass(frozen=True)
class Holder:
    """What holds a slot: an attempt of a run.

    Attributes:
        run_uid: uid of the run.
        path: Path of the node, of the item, or of the iteration; OF_RUN for the run itself.
        number: Number of the attempt, or how often the run has taken a slot.
    """

    run_uid: str
    path: str
    number: int

    def __str__(self) -> str:
        return f"{self.run_uid}/{self.path}/{self.number}"


@dataclass(frozen=True)
class SlotFact:
    """One Lease that holds a slot.

    Attributes:
        name: Its name.
        uid: Its uid.
        digest: Digest of its key.
        number: Number of the slot, from 1.
        limit: The limit under which it was taken.
        holder: What holds it.
        run_name: Name of the run.
        replaceable: The place of the run in the queue, if it ends for a younger one.
    """

    name: str
    uid: str
    digest: str
    number: int
    limit: int
    holder: Holder
    run_name: str
    replaceable: "Place | None" = None

    def __str__(self) -> str:
        if self.holder.path == OF_RUN:
            return f"run {self.run_name}"
        return f"run {self.run_name} (node {self.holder.path})"


@dataclass(frozen=True, order=True)
class Place:
    """The place of a run in the queue of a key: by creation, then by name."""

    created_at: datetime
    run: str


@dataclass(frozen=True)
class SlotWait:
    """One node or item that waits for a slot.

    Attributes:
        digest: Digest of the key.
        limit: Its own limit.
        place: Its place in the queue.
        replaces: Whether it is a run that replaces older ones.
        rest: Seconds until it reads the slots again at the latest.
    """

    digest: str
    limit: int
    place: Place
    replaces: bool = False
    rest: float = 60.0


@dataclass(frozen=True)
class SlotClaim:
    """A slot that a pass takes: its Lease may not be in a list yet."""

    digest: str
    number: int
    limit: int


@dataclass(frozen=True)
class KeySlots:
    """The slots of one key, read live in this pass.

    Attributes:
        holders: The Leases whose holders have not ended.
        claims: Slots that other runs are taking, as far as this operator knows.
        waiting: What waits for the key in other runs, as far as this operator knows, by place.
            What waits in the run itself may be among it.
    """

    holders: tuple[SlotFact, ...] = ()
    claims: tuple[SlotClaim, ...] = ()
    waiting: tuple[SlotWait, ...] = ()


def slot_fact(body: Any) -> SlotFact | None:
    """The fact of a Lease; None if it is not a slot."""
    metadata = section(body, "metadata")
    notes = section(metadata, "annotations")
    digest = text(section(metadata, "labels"), meta.LABEL_SLOTS)
    holder = parse_holder(text(section(body, "spec"), "holderIdentity"))
    number = whole_number(text(metadata, "name").rpartition("-")[2])
    if not digest or holder is None or not number:
        return None
    return SlotFact(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        digest=digest,
        number=number,
        limit=whole_number(text(notes, meta.ANNOTATION_SLOT_LIMIT)) or _WITHOUT_LIMIT,
        holder=holder,
        run_name=text(notes, meta.ANNOTATION_RUN_NAME),
    )


def parse_holder(identity: str) -> Holder | None:
    """The holder that a Lease names; None if the text is another program's."""
    run_uid, _, rest = identity.partition("/")
    path, _, number = rest.rpartition("/")
    count = whole_number(number)
    return Holder(run_uid, path, count) if run_uid and path and count else None


def is_open(status: AgentWorkflowStatus, holder: Holder) -> bool:
    """Whether an attempt, or the slot of the run, has been recorded and has not ended. Once false,
    it stays false."""
    if holder.path == OF_RUN:
        slot = status.slot
        return slot is not None and slot.name is not None and slot.number == holder.number
    checkpoint = checkpoint_of(status.nodes, holder.path)
    known = checkpoint is not None and checkpoint.knows(holder.number)
    return known and checkpoint is not None and not checkpoint.has_closed(holder.number)


def holds_itself(body: Any, holder: Holder) -> bool:
    """Whether a run certainly holds the slot from its start to its end: `is_open`, without reading
    its whole status. False says nothing."""
    slot = section(body, "status", "slot")
    named = bool(text(slot, "name")) and slot.get("number") == holder.number
    return holder.path == OF_RUN and named


def replaceable_at(body: Any, holder: Holder) -> Place | None:
    """The place in the queue of the run that holds a slot, if it ends for a younger run.

    It says so in its status, which only the operator writes: people may change a Lease.
    """
    slot, metadata = section(body, "status", "slot"), section(body, "metadata")
    created = parse_timestamp(text(metadata, "creationTimestamp"))
    agrees = slot.get("replaceable") is True and slot.get("number") == holder.number
    if holder.path != OF_RUN or not agrees or created is None:
        return None
    return Place(created, text(metadata, "name"))
