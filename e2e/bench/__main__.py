"""`python -m e2e.bench`: measure on the cluster of `make cluster`, write build/bench.json.

The parts hostile, everyday, archive, passes, requests, server, events, queued, tracing, browsers,
pages and coldstart need no cluster. They print a table, and the command exits with 1 if something
is over its bound. The part throughput sets the cluster up by itself, twice. All of these run only
when they are named.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from e2e.bench import (
    archive,
    audit,
    browsers,
    chains,
    definitions,
    events,
    maps,
    pages,
    passes,
    requests,
    server,
    tracing,
)
from e2e.bench import payloads as gateway
from e2e.bench.coldstart import measure as coldstart
from e2e.bench.figures import Figure, line, write
from e2e.bench.hostile import __main__ as hostile
from e2e.bench.hostile import everyday
from e2e.bench.queued import measure as queued
from e2e.bench.throughput import measure as throughput
from e2e.cluster import api
from e2e.suite.forwarding import forwarded
from e2e.suite.install import install
from e2e.suite.kube import Kube, connected
from e2e.suite.operators import Operator, machine_of
from e2e.suite.space import temporary

RESULT = Path("build/bench.json")
BY_THEMSELVES: dict[str, Callable[[], int]] = {
    "hostile": lambda: hostile.main([]),
    "everyday": everyday.main,
    "archive": archive.main,
    "passes": passes.main,
    "requests": requests.main,
    "server": server.main,
    "events": events.main,
    "queued": lambda: queued.main(RESULT),
    "tracing": tracing.main,
    "browsers": browsers.main,
    "pages": lambda: pages.main(RESULT),
    "coldstart": lambda: coldstart.main(RESULT),
    "throughput": lambda: throughput.main(RESULT),
}
PARTS = ("memory", "ratio", "approvals", "writes", "payloads", "maps", "definitions")


def main() -> int:
    """Run the parts that were asked for; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench", description=__doc__)
    known = (*PARTS, *BY_THEMSELVES)
    text = f"of {', '.join(known)}; without one, those that share a cluster"
    parser.add_argument("parts", nargs="*", metavar="PART", help=text)
    parser.add_argument("--count", type=int, default=events.COUNT, help="Of events.")
    parser.add_argument("--runs", type=int, default=queued.RUNS, help="That wait at once.")
    parser.add_argument("--qps", type=float, default=queued.QPS, help="Writes of an operator.")
    text = "An image, for coldstart, beside those of this tree; may be repeated."
    parser.add_argument("--archive", type=Path, action="append", default=[], help=text)
    given = parser.parse_args()
    chosen = given.parts or list(PARTS)
    unknown = [part for part in chosen if part not in known]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; parts: {', '.join(known)}")
    alone: dict[str, Callable[[], int]] = {
        **BY_THEMSELVES,
        "events": lambda: events.main(given.count),
        "queued": lambda: queued.main(RESULT, given.runs, given.qps),
        "coldstart": lambda: coldstart.main(RESULT, given.archive),
    }
    codes = [alone[part]() for part in chosen if part in BY_THEMSELVES]
    chosen = [part for part in chosen if part in PARTS]
    if chosen:
        _on_cluster(chosen)
    return max(codes, default=0)


def _on_cluster(chosen: list[str]) -> None:
    cluster = api.ensure_up()
    with connected(cluster.kubeconfig, cluster.tools_dir) as kube:
        install(kube, cluster.chart_values)
        operator = Operator(kube, machine_of(cluster.provider, cluster.name))
        operator.ready()
        figures: list[Figure] = []
        for part in chosen:
            print(f"bench: {part}", flush=True)
            measured = _measure(part, kube, operator, cluster)
            print("\n".join(line(figure) for figure in measured), flush=True)
            figures += measured
    write(figures, RESULT)
    print(f"bench: wrote {RESULT}")


def _measure(part: str, kube: Kube, operator: Operator, cluster: api.Cluster) -> list[Figure]:
    with temporary(kube, "bench") as space:
        needs_log: dict[str, Callable[[audit.AuditLog], list[Figure]]] = {
            "writes": lambda log: chains.writes(space, operator, log),
            "approvals": lambda log: chains.approvals(space, log),
            "maps": lambda log: maps.thousand(space, operator, log),
        }
        if part == "ratio":
            return chains.ratio(space, cluster.images["runner"])
        if part == "payloads":
            with forwarded(kube) as url:
                return gateway.payloads(space, url)
        if part == "memory":
            return chains.memory(space, operator)
        if part == "definitions":
            return definitions.on_cluster(space)
        if cluster.audit_log is None:
            print(f"  left out: {part} is counted in the audit log, which this cluster has not")
            return []
        return needs_log[part](audit.from_now(cluster.audit_log))


if __name__ == "__main__":
    sys.exit(main())
