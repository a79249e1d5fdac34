"""What a run has read of its memory, and what it remembers. Pure.

Spans have counts and the scope: a key may be the name of a customer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from waypost.api.status import AgentWorkflowStatus
from waypost.engine.state.decision import EntriesStored
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import part_id
from waypost.telemetry import conventions


@dataclass(frozen=True)
class MemoryUsed:
    """A snapshot was taken (`operation` search_memory), or entries were recorded
    (upsert_memory)."""

    operation: str
    path: str  # the node or item that states facts; "" for the run
    round: int
    scope: str
    finished: datetime
    episodes: int
    facts: int
    outcome: str = "Succeeded"


def read(before: AgentWorkflowStatus, after: AgentWorkflowStatus) -> Iterator[MemoryUsed]:
    """The snapshot that `after` has and `before` does not."""
    memory = after.memory
    if memory is None or (at := parse_timestamp(memory.at)) is None:
        return
    if before.memory is not None and before.memory.at == memory.at:
        return
    yield MemoryUsed(
        operation=conventions.SEARCH_MEMORY,
        path="",
        round=_round_at(after, at),
        scope=memory.scope,
        finished=at,
        episodes=memory.episodes,
        facts=memory.facts,
    )


def _round_at(status: AgentWorkflowStatus, at: datetime) -> int:
    """The round of a run at a time: later ones keep the snapshot."""
    begun = [one.round for one in status.rounds or () if _since(one.started_at, at)]
    current = parse_timestamp(status.round_started_at)
    if not status.rounds or current is None or current <= at:
        return status.round
    return max(begun, default=1)


def _since(time: str | None, at: datetime) -> bool:
    found = parse_timestamp(time)
    return found is not None and found <= at


def written(status: AgentWorkflowStatus, stored: Iterable[EntriesStored]) -> Iterator[MemoryUsed]:
    """What a pass has recorded of what the run remembers."""
    for each in stored:
        yield MemoryUsed(
            operation=conventions.UPSERT_MEMORY,
            path=each.path,
            round=each.round,
            scope=status.memory.scope if status.memory is not None else "",
            finished=each.at,
            episodes=0 if each.path else each.count,
            facts=each.count if each.path else 0,
        )


def name_of(fact: MemoryUsed) -> str:
    """The name of its span."""
    return f"{fact.operation} {fact.path or fact.scope}"


def id_of(fact: MemoryUsed, run_uid: str) -> str:
    """The id of its span."""
    return part_id(run_uid, fact.path, fact.round, 0, fact.operation)


def attributes_of(fact: MemoryUsed) -> dict[str, str | int]:
    """The attributes of its span."""
    found: dict[str, str | int] = {
        conventions.OPERATION: fact.operation,
        conventions.MEMORY_SCOPE: fact.scope,
        conventions.MEMORY_EPISODES: fact.episodes,
        conventions.MEMORY_FACTS: fact.facts,
    }
    return found | ({conventions.NODE_PATH: fact.path} if fact.path else {})
