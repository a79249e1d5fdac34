"""Requests of the operator that fail: reads, stops, creates without an answer, or all of them.

`withhold`: `choice` is the answer and what gets it; after `seconds` it is lifted, or with `number`
2 a person cancels the run first.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from waypost.ports.cluster import ClusterError, Kind, RefusedForNow, Rejected, Unavailable

from tests.fakes.cluster import OPERATOR
from tests.fakes.faults import Request, Withheld
from tests.simulation.play import standstill
from tests.simulation.scenario.plan import Trouble
from tests.support.harness import NAMESPACE

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

ANSWERS: Final[dict[str, Callable[[], ClusterError]]] = {
    "forbidden": lambda: Rejected("forbidden: no such right", code=403, reason="Forbidden"),
    "webhook": lambda: RefusedForNow("failed calling webhook: refused", code=500),
    "error": lambda: Unavailable("internal error", code=500),
    "silent": lambda: Unavailable("the request timed out"),
}
_SILENT: Final = 9.0  # seconds; a client waits for ten
WHAT: Final[dict[str, tuple[tuple[str, Kind], ...]]] = {
    "records": (("get", Kind.NODE_RECORD),),
    "pods": (("list", Kind.POD),),
    "jobs": (("list", Kind.JOB),),
    "gates": (("list", Kind.APPROVAL),),
    "suspend": (("patch", Kind.JOB),),
    "stops": (("patch", Kind.JOB), ("delete", Kind.POD)),
    "undone": (("create", Kind.JOB),),
    "unanswered": (("create", Kind.JOB),),
    "all": (),
}
_OF_THE_CLUSTER: Final = (Kind.NODE, Kind.NAMESPACE, Kind.LEASE)
CHOICES: Final = (
    *(f"{answer} {what}" for answer in ANSWERS for what in ("records", "records", "pods", "jobs")),
    *(f"{answer} {what}" for answer in ANSWERS for what in ("gates", "suspend", "stops", "all")),
    *(f"{answer} {what}" for answer in ("error", "silent") for what in ("undone", "unanswered")),
)
# With these a cancel ends the run all the same: no program has to be found or stopped.
_ENDED_BY_CANCEL: Final = frozenset({"records", "gates"})
_UNSAID: Final = "all"  # then nothing can be written, so nothing can be said


def rule(choice: str) -> Withheld:
    """The requests of the operator that fail, and how."""
    answer, what = choice.split()

    def matches(request: Request) -> bool:
        if request.user != OPERATOR or request.kind in _OF_THE_CLUSTER:
            return False
        # A list of all namespaces is the resync, without which no operator is ready.
        mine = request.namespace == NAMESPACE
        return mine and (what == "all" or (request.verb, request.kind) in WHAT[what])

    return Withheld(
        matches,
        ANSWERS[answer],
        pause=_SILENT if answer == "silent" else 0.0,
        after_commit=what == "unanswered",
    )


async def withhold(stage: "Stage", trouble: Trouble) -> None:
    """Let requests fail for a while, and judge what the run says and does meanwhile."""
    what, failing = trouble.choice.split()[1], rule(trouble.choice)
    withheld = stage.world.cluster.withheld
    withheld.append(failing)
    unreadable = what in ("records", "all")
    stage.seen.unreadable_records += unreadable
    stage.exercise(trouble)
    try:
        await standstill.outlast(
            stage, trouble, says=what != _UNSAID, ends=what in _ENDED_BY_CANCEL
        )
    finally:
        withheld.remove(failing)
        stage.seen.unreadable_records -= unreadable
