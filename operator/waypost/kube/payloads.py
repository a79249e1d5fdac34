"""Whose a payload is, and what is known of one that is kept in a NodeRecord. No I/O."""

from dataclasses import dataclass

from waypost.api.base import JsonValue
from waypost.api.record import RecordType
from waypost.kube import names


@dataclass(frozen=True)
class AttemptRef:
    """The attempt that a payload belongs to."""

    run: str
    run_uid: str
    path: str
    round: int
    attempt: int

    def record_name(self, type_: RecordType) -> str:
        """Name of the NodeRecord with this attempt's payload of that type."""
        return names.record_name(
            type_,
            run=self.run,
            run_uid=self.run_uid,
            path=self.path,
            round_=self.round,
            attempt=self.attempt,
        )


@dataclass(frozen=True)
class JournalKey:
    """Which journal of a node: attempts with the same key go on with one another's. No
    fingerprint: the node has none."""

    fingerprint: str
    generation: int

    def segment_name(self, ref: AttemptRef, number: int) -> str:
        """Name of the NodeRecord with that segment."""
        return names.segment_name(
            run=ref.run,
            run_uid=ref.run_uid,
            path=ref.path,
            fingerprint=self.fingerprint,
            generation=self.generation,
            number=number,
        )


@dataclass(frozen=True)
class Payload:
    """A payload's digest and size, and the payload itself where it was read."""

    digest: str
    size: int
    read: bool = False
    value: JsonValue = None


@dataclass(frozen=True)
class RecordFact:
    """What one NodeRecord is, as it was read; `problem`: why its payload cannot be had."""

    name: str
    type: str
    run_uid: str
    path: str
    round: object
    attempt: object
    owner_uid: str
    payload: Payload
    problem: str = ""

    def is_of(self, type_: RecordType, ref: AttemptRef) -> bool:
        """Whether it is this attempt's, by what it says and by who owns it."""
        found = (self.type, self.run_uid, self.path, self.round, self.attempt)
        wanted = (type_, ref.run_uid, ref.path, ref.round, ref.attempt)
        return found == wanted and self.owner_uid == ref.run_uid
