"""Jobs: the facts that the engine needs, read from bodies without ever raising."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import items, moment, section, text, whole_number

_PATIENCE: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class JobFact:
    """One Job, as created by us or as read live."""

    name: str
    uid: str
    path: str
    attempt: int
    created_at: datetime
    suspended: bool = False
    halted: bool = False  # parallelism 0: it makes no pod, even if somebody resumes it
    ended: bool = False  # has a Complete or Failed condition
    deleting: bool = False
    trouble: str = ""  # the newest FailedCreate event's text, read live


@dataclass(frozen=True)
class LaunchProblem:
    """The API server refused a child of a run. `permanent`: it would again. `since`: when this
    operator was first refused it."""

    message: str
    permanent: bool
    since: datetime | None = None


def lasts_long(problem: LaunchProblem, now: datetime) -> bool:
    """Whether a trouble that may pass has not passed for a while: what ends now does not wait."""
    return problem.since is not None and now >= problem.since + _PATIENCE


def job_fact(body: Any, *, trouble: str = "") -> JobFact | None:
    """The fact of a Job of ours; None for a Job without our labels."""
    metadata = section(body, "metadata")
    labels, notes = section(metadata, "labels"), section(metadata, "annotations")
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
        path=text(notes, meta.ANNOTATION_PATH) or text(labels, meta.LABEL_NODE),
        attempt=attempt,
        created_at=created,
        suspended=section(body, "spec").get("suspend") is True,
        halted=section(body, "spec").get("parallelism") == 0,
        ended=any(
            c.get("type") in ("Complete", "Failed") and c.get("status") == "True"
            for c in conditions
        ),
        deleting=bool(metadata.get("deletionTimestamp")),
        trouble=trouble,
    )
