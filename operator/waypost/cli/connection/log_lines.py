"""Follows the log of a node: each line once, across its attempts, until the node has ended."""

import asyncio
from collections.abc import Callable
from typing import Final

import typer

from waypost.api.meta import LABEL_ATTEMPT, LABEL_NODE, LABEL_RUN, NODE_CONTAINER
from waypost.api.paths import entry_of
from waypost.api.status import FINAL_PHASES
from waypost.cli.connection.cluster import Session, find_run
from waypost.kube.facts.pods import pod_fact
from waypost.kube.objects import items, text
from waypost.ports.cluster import Kind, NotFound, Obj

LOOK_AGAIN: Final = 1.0


async def latest_pod(
    session: Session, run_uid: str, *, node: str, attempt: int | None
) -> Obj | None:
    """The pod of an attempt; of the latest one that has a pod, if `attempt` is None."""
    labels = f"{LABEL_RUN}={run_uid},{LABEL_NODE}={node.replace('/', '.')}"
    if attempt is not None:
        labels += f",{LABEL_ATTEMPT}={attempt}"
    pods = (await session.cluster.list(Kind.POD, namespace=session.namespace, labels=labels)).items
    return max(pods, key=_attempt_of, default=None)


def _attempt_of(pod: Obj) -> int:
    return int(pod["metadata"]["labels"].get(LABEL_ATTEMPT, "0"))


class NewLines:
    """Takes the lines of a log with times that it has not given before.

    The API server gives lines since a whole second, so some come again.
    """

    def __init__(self) -> None:
        self.since = ""
        self._last: list[str] = []  # the lines with the latest time

    def take(self, stamped: str) -> str:
        """The new lines of `stamped`, without their times."""
        fresh = []
        for line in stamped.splitlines():
            moment, _, words = line.partition(" ")
            if moment < self.since or line in self._last:
                continue
            if moment > self.since:
                self.since, self._last = moment, []
            self._last.append(line)
            fresh.append(words + "\n")
        return "".join(fresh)


async def follow_log(
    session: Session,
    run: str,
    *,
    node: str,
    attempt: int | None,
    tail: int,
    say: Callable[[str], None],
) -> None:
    """Print the log until the node has ended, or `attempt` if that is given.

    Args:
        session: Where the run is.
        run: Its name.
        node: The node.
        attempt: Only this attempt; None: the latest one and those after it.
        tail: At most so many lines at the beginning.
        say: Prints lines.

    Raises:
        CommandError: The run does not exist.
    """
    name, lines = "", NewLines()
    while True:
        found = await find_run(session, run)
        pod = await latest_pod(session, found["metadata"]["uid"], node=node, attempt=attempt)
        fact = pod_fact(pod) if pod is not None else None
        if fact is not None:
            if name and name != fact.name:
                typer.echo(f"attempt {fact.attempt}", err=True)
            if name != fact.name:
                name, lines = fact.name, NewLines()
            say(lines.take(await _read(session, fact.name, since=lines.since, tail=tail)))
        entry = entry_of(node)
        states = [one for one in items(found, "status", "nodes") if one.get("path") == entry]
        ended = any(text(one, "phase") in FINAL_PHASES for one in states)
        over = fact is None or fact.over
        if over and (ended or (attempt is not None and fact is not None)):
            return
        await asyncio.sleep(LOOK_AGAIN)


async def _read(session: Session, pod: str, *, since: str, tail: int) -> str:
    try:
        return await session.cluster.log_since(
            namespace=session.namespace,
            pod=pod,
            container=NODE_CONTAINER,
            since=since,
            tail_lines=0 if since else tail,
        )
    except NotFound:
        return ""  # not started yet, or removed
