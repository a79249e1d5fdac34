"""Watch a namespace, and hold all that happened in it to every check."""

from collections.abc import Iterator
from contextlib import contextmanager

from e2e.bench import audit
from e2e.chaos.checks import violations
from e2e.chaos.evidence import Evidence
from e2e.chaos.history import History, watched
from e2e.cluster import api
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space
from e2e.suite.waiting import until

CLEAN_SECONDS = 120.0


@contextmanager
def judging(space: Space, ledger: Ledger, cluster: api.Cluster) -> Iterator[History]:
    """The history of the namespace meanwhile. When the context ends, nothing may be wrong with it,
    and its runs, deleted, must leave nothing behind (I12)."""
    log = audit.from_now(cluster.audit_log) if cluster.audit_log else None
    with watched(space.kube, space.name) as history:
        yield history
    runs = {body["metadata"]["uid"] for body in space.all("agentworkflows")}
    starts = [entry for entry in ledger.all() if entry["run"] in runs]
    requests = log.requests(space.name) if log else []
    found = violations(Evidence(history, starts, requests))
    assert not found, "\n".join(found)
    for body in space.all("agentworkflows"):
        space.delete("agentworkflows", body["metadata"]["name"])
    until(lambda: not left(space), within=CLEAN_SECONDS, what="I12", seen=lambda: left(space))


def left(space: Space) -> list[str]:
    """What is there of runs: kind and name."""
    selectors = dict.fromkeys(("jobs", "pods", "approvals", "noderecords"), "waypost.dev/run")
    found = {kind: space.all(kind, labels) for kind, labels in selectors.items()}
    found["agentworkflows"] = space.all("agentworkflows")
    return [f"{kind}/{one['metadata']['name']}" for kind, ones in found.items() for one in ones]
