"""What an attempt made: its checkpoint needs the record of each artifact, read live, with the
digest that the pod committed."""

from collections.abc import Mapping
from dataclasses import replace

from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.api.workflow import Node
from waypost.engine.state.outcome import Failed, Outcome, Succeeded
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.artifacts.request import Content
from waypost.protocol.reasons import Reason
from waypost.protocol.record import CommitRecord, RecordProblem


def names_of(node: Node) -> list[str]:
    """The names in artifacts.out of a node."""
    return [one.name for one in (node.artifacts and node.artifacts.out) or ()]


def records_of(node: Node, ref: AttemptRef) -> set[str]:
    """The names of the NodeRecords of what an attempt makes."""
    return {ref.artifact_name(name) for name in names_of(node)}


def with_artifacts(
    outcome: Outcome,
    node: Node,
    ref: AttemptRef,
    *,
    records: Mapping[str, RecordFact | None],
    record: CommitRecord | RecordProblem | None,
) -> Outcome:
    """The outcome of an attempt with what it made.

    Args:
        outcome: The outcome without it.
        node: The node.
        ref: The attempt.
        records: The NodeRecords that were read live, by name.
        record: The commit record of its pod. Without one, a result that the gateway has is later
            than all artifacts, so their records alone say what they are.
    """
    if not isinstance(outcome, Succeeded):
        return outcome
    committed = record.artifacts if isinstance(record, CommitRecord) else None
    made: list[ArtifactStatus] = []
    for name in names_of(node):
        fact = records.get(ref.artifact_name(name))
        expected = None if committed is None else committed.get(name)
        problem = _problem(name, fact, ref, expected)
        if isinstance(record, CommitRecord) and expected is None:
            problem = f"the commit record does not name artifact {name}"
        if problem or fact is None:
            return Failed(Reason.RESULT_LOST, problem, report=outcome.report)
        made.append(
            ArtifactStatus(
                name=name,
                digest=fact.payload.digest,
                bytes=fact.payload.size,
                files=fact.files,
                record=fact.name,
            )
        )
    return replace(outcome, artifacts=tuple(made))


def _problem(name: str, fact: RecordFact | None, ref: AttemptRef, expected: Content | None) -> str:
    if fact is None:
        return f"the NodeRecord of artifact {name} does not exist"
    if not fact.is_of("Artifact", ref) or fact.artifact != name:
        return f"NodeRecord {fact.name} is not that of artifact {name} of this attempt"
    if expected is not None and fact.payload.digest != expected.digest:
        return (
            f"NodeRecord {fact.name} has digest {fact.payload.digest}, the commit record expects "
            f"{expected.digest}"
        )
    return ""
