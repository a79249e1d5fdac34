"""Jobs: the facts that the engine needs. Reading them from a body never raises."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.kube.facts.workloads import WorkloadFact
from waypost.kube.objects import condition_text, items, moment, section, text, whole_number

_PATIENCE: Final = timedelta(seconds=30)
_RECENT: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class JobFact:
    """One Job, as it was created by us or read live."""

    name: str
    uid: str
    path: str
    attempt: int
    created_at: datetime
    suspended: bool = False
    halted: bool = False  # parallelism 0: it creates no pod, even if it is resumed
    ended: bool = False  # has a Complete or Failed condition
    deleting: bool = False
    failure: str = ""  # reason and message of the condition Failed
    trouble: str = ""  # the text of the newest FailedCreate Event, read live
    queue: str = ""  # the LocalQueue that admits it
    resumed_at: datetime | None = None  # when it was last resumed; None while it is suspended
    workload: WorkloadFact | None = None  # what its queue says of it, read live while it waits


@dataclass(frozen=True)
class WriteProblem:
    """The API server refused to create or write an object of a run."""

    message: str
    permanent: bool  # it would refuse it again
    since: datetime | None = None  # when it first refused it to this operator
    at: datetime | None = None  # when it last did
    slot_taken: bool = False  # another attempt holds the slot that this one has recorded


def lasts_long(problem: WriteProblem, now: datetime) -> bool:
    """Whether a problem has lasted for 30 seconds: what has to end now no longer waits for it."""
    return problem.since is not None and now >= problem.since + _PATIENCE


def is_recent(problem: WriteProblem, now: datetime) -> bool:
    """Whether the API server has refused it within the last two minutes: while an operator runs, it
    tries again at least every minute. An older refusal says nothing about the next try."""
    return problem.at is not None and now < problem.at + _RECENT


def refused_since(known: WriteProblem | None, now: datetime) -> datetime:
    """Since when an object that is refused now has been refused: a gap without tries ends it."""
    if known is None or known.since is None or not is_recent(known, now):
        return now
    return known.since


def job_fact(body: Any, *, trouble: str = "") -> JobFact | None:
    """The fact of a Job; None if it does not have our labels."""
    metadata = section(body, "metadata")
    labels, annotations = section(metadata, "labels"), section(metadata, "annotations")
    attempt, created = (
        whole_number(labels.get(meta.LABEL_ATTEMPT)),
        moment(metadata, "creationTimestamp"),
    )
    if not attempt or created is None:
        return None
    conditions = items(body, "status", "conditions")
    return JobFact(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        path=text(annotations, meta.ANNOTATION_PATH) or text(labels, meta.LABEL_NODE),
        attempt=attempt,
        created_at=created,
        suspended=section(body, "spec").get("suspend") is True,
        halted=section(body, "spec").get("parallelism") == 0,
        ended=any(
            c.get("type") in ("Complete", "Failed") and c.get("status") == "True"
            for c in conditions
        ),
        deleting=bool(metadata.get("deletionTimestamp")),
        failure=condition_text(section(body, "status"), "Failed", "True"),
        trouble=trouble,
        queue=text(labels, meta.LABEL_QUEUE),
        resumed_at=moment(section(body, "status"), "startTime"),
    )
