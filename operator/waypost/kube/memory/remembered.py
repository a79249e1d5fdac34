"""What a run remembers as MemoryEntries: its Episode, and the facts of its nodes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.memory.model import EntryType, Review
from waypost.kube.memory.entries import beginning
from waypost.kube.memory.names import entry_labels, entry_name
from waypost.kube.timestamps import timestamp


@dataclass(frozen=True)
class Origin:
    """The run that remembers, and the round.

    Attributes:
        scope: The scope of its memory.
        key: The key.
        run: Its name.
        run_uid: Its uid.
        workflow: Its template, or its label waypost.dev/workflow; "" if it has neither.
        round: The round.
        at: The time when its last node ended, or when the node was recorded as Succeeded.
    """

    scope: str
    key: str
    run: str
    run_uid: str
    workflow: str
    round: int
    at: datetime


def episode(
    origin: Origin, value: JsonObject, *, succeeded: bool, scheduled_at: str, kept: timedelta
) -> JsonObject:
    """The manifest of an Episode.

    Args:
        origin: Where it comes from.
        value: What the run remembers.
        succeeded: Whether the run succeeded.
        scheduled_at: `run.scheduledAt`.
        kept: How long it is kept.
    """
    name = entry_name(
        scope=origin.scope,
        key=origin.key,
        type_="Episode",
        run_uid=origin.run_uid,
        path="",
        round_=origin.round,
        ordinal=0,
    )
    spec = {
        "text": beginning(value),
        "value": value,
        "succeeded": succeeded,
        "scheduledAt": scheduled_at,
    }
    return _entry(name, "Episode", origin, kept=kept, spec=spec, source={})


@dataclass(frozen=True)
class Stated:
    """A fact, and the node that made it.

    Attributes:
        value: The fact; `subject` in it is that of the entry.
        path: The path of the node or item.
        ordinal: Its position in what the node remembered.
        attempt: The attempt that was recorded as Succeeded; None of a node without attempts.
        output: The digest of the output.
        fact_schema: The digest of the schema that the fact met.
        review: Whether a person accepts it before runs read it.
    """

    value: JsonObject
    path: str
    ordinal: int
    attempt: int | None
    output: str
    fact_schema: str
    review: Review


def fact(origin: Origin, stated: Stated, *, kept: timedelta) -> JsonObject:
    """The manifest of a Fact. Arguments as those of `episode`."""
    name = entry_name(
        scope=origin.scope,
        key=origin.key,
        type_="Fact",
        run_uid=origin.run_uid,
        path=stated.path,
        round_=origin.round,
        ordinal=stated.ordinal,
    )
    value = without_subject(stated.value)
    subject = stated.value.get("subject")
    spec = {
        **({"subject": subject} if subject is not None else {}),
        "text": beginning(value),
        "value": value,
        "schemaDigest": stated.fact_schema,
        "review": stated.review,
    }
    source: JsonObject = {
        "path": stated.path,
        "ordinal": stated.ordinal,
        "outputDigest": stated.output,
        **({"attempt": stated.attempt} if stated.attempt else {}),
    }
    return _entry(name, "Fact", origin, kept=kept, spec=spec, source=source)


def without_subject(stated: JsonObject) -> JsonObject:
    """The value of the entry of a fact."""
    return {key: value for key, value in stated.items() if key != "subject"}


def _entry(
    name: str,
    type_: EntryType,
    origin: Origin,
    *,
    kept: timedelta,
    spec: JsonObject,
    source: JsonObject,
) -> JsonObject:
    labels = entry_labels(scope=origin.scope, key=origin.key, type_=type_, run_uid=origin.run_uid)
    made = {
        "at": timestamp(origin.at),
        "run": origin.run,
        "runUid": origin.run_uid,
        "round": origin.round,
        **({"workflow": origin.workflow} if origin.workflow else {}),
        **source,
    }
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.MEMORY_ENTRY.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "scope": origin.scope,
            "key": origin.key,
            "type": type_,
            **spec,
            "source": made,
            "expiresAt": timestamp(origin.at + kept),
        },
    }
