"""The attempt that a payload belongs to, and the facts of NodeRecords. No I/O."""

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

    def artifact_name(self, artifact: str) -> str:
        """Name of the NodeRecord of the artifact with that name."""
        return names.artifact_name(
            run=self.run,
            run_uid=self.run_uid,
            path=self.path,
            round_=self.round,
            attempt=self.attempt,
            artifact=artifact,
        )


def is_key_of(key: str, *, namespace: str, run: str, run_uid: str) -> bool:
    """Whether a key of the object store is one of that run. A NodeRecord may name any key; the
    gateway reads only those of the run that it belongs to (S378)."""
    return key.startswith(f"{namespace}/{run}/{run_uid}/") and ".." not in key.split("/")


@dataclass(frozen=True)
class JournalKey:
    """Identifies a journal of a node: attempts with the same key continue the same journal.

    `fingerprint` is "" for a node without one. The journal of an item belongs to the path of its
    map: `fingerprint` then has the identity of the item, which keeps its journal when it moves.
    """

    fingerprint: str
    generation: int
    path: str

    def segment_name(self, ref: AttemptRef, number: int) -> str:
        """Name of the NodeRecord with that segment."""
        return names.segment_name(
            run=ref.run,
            run_uid=ref.run_uid,
            path=self.path,
            fingerprint=self.fingerprint,
            generation=self.generation,
            number=number,
        )


@dataclass(frozen=True)
class Payload:
    """The digest and size of a payload, and its value if it was read."""

    digest: str
    size: int  # bytes of canonical JSON
    read: bool = False
    value: JsonValue = None


@dataclass(frozen=True)
class RecordFact:
    """One NodeRecord as it was read."""

    name: str
    type: str
    run_uid: str
    path: str
    round: object
    attempt: object
    owner_uid: str
    payload: Payload
    problem: str = ""  # why its payload cannot be read
    artifact: str = ""  # the name of an Artifact
    files: int = 0  # of an Artifact

    def is_of(self, type_: RecordType, ref: AttemptRef) -> bool:
        """Whether it belongs to this attempt, by its fields and its owner."""
        identity = (self.type, self.run_uid, self.path, self.round, self.attempt)
        expected = (type_, ref.run_uid, ref.path, ref.round, ref.attempt)
        return identity == expected and self.owner_uid == ref.run_uid
