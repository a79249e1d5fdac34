"""One run and all that belongs to it, from the cluster into a report."""

from datetime import UTC, datetime

from waypost.cli.cluster import Session, Target, find_run, with_cluster
from waypost.cli.report import RunReport, report
from waypost.cli.traces import load_approvals, load_traces


def load_report(target: Target, name: str, *, with_traces: bool) -> RunReport:
    """The report of a run. Raises CommandError."""

    async def work(session: Session) -> RunReport:
        run = await find_run(session, name)
        uid = run["metadata"]["uid"]
        return report(
            run,
            now=datetime.now(UTC),
            approvals=await load_approvals(session, uid),
            traces=await load_traces(session, uid) if with_traces else None,
        )

    return with_cluster(target, work)
