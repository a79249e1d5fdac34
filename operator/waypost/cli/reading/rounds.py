"""Reads a run, and says what a round of it would do."""

from datetime import UTC, datetime

from waypost.cli.connection.changes import requested_spec
from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.connection.definitions import definition, latest_definition
from waypost.ports.cluster import Obj
from waypost.views.documents import RerunPreview
from waypost.views.rerun import rerun_preview


async def preview(
    session: Session, name: str, asked: Obj, edited: Obj | None = None
) -> RerunPreview:
    """What the next round of a run would do.

    Args:
        session: Where the run is.
        name: The run.
        asked: `spec.rerun` without `round`.
        edited: A new spec; None keeps the present one.

    Raises:
        CommandError: The run or its template does not exist.
        CannotShow: The definition of the run cannot be read.
        ClusterError: A request failed.
    """
    run = await find_run(session, name)
    changed = {**run, "spec": requested_spec(run, asked, edited)}
    latest = asked.get("template") == "Latest"
    known = await (latest_definition if latest else definition)(session, changed)
    return rerun_preview(changed, known, now=datetime.now(UTC))
