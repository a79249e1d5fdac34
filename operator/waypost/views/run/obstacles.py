"""Why a run does not move: what it and its nodes wait for, and what a person can do about it."""

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.meta import Condition
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.kube.items.child_items import started_by
from waypost.kube.items.open_items import words_of
from waypost.kube.names import child_name
from waypost.kube.objects import items, named, section, text
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.protocol.text import shorten
from waypost.views.models import Obstacle
from waypost.views.related import Related

LISTED: Final = 20  # obstacles of one run
_LENGTH: Final = 400  # characters of a text
_UNSEEN: Final = timedelta(seconds=30)  # after which the operator should have looked at a change


def obstacles(
    run: JsonObject, status: AgentWorkflowStatus, related: Related, *, now: datetime
) -> list[Obstacle]:
    """What keeps the run from going on, those of the whole run first; none of a run that has ended.

    Args:
        run: The AgentWorkflow object.
        status: Its status.
        related: Its Approvals and pods, as far as they were read.
        now: The time.
    """
    found = list(_unseen(run, status, now=now))
    if status.finished_at is None or status.phase == "Rejected":
        found += _of_run(run, status)
    if status.finished_at is None:
        pods = [fact for pod in related.pods if (fact := pod_fact(pod)) is not None]
        for node in status.nodes:
            found += _of_node(node, related, pods, run)
    return found[:LISTED]


def _obstacle(what: str, words: str, **more: str | None) -> Obstacle:
    return Obstacle(what=what, text=shorten(words, _LENGTH), **more)


def _unseen(run: JsonObject, status: AgentWorkflowStatus, *, now: datetime) -> Iterator[Obstacle]:
    """A spec that the operator has not looked at: it is down, or does not serve the namespace."""
    metadata = section(run, "metadata")
    generation, created = metadata.get("generation"), text(metadata, "creationTimestamp")
    if not isinstance(generation, int) or status.observed_generation >= generation:
        return
    then = parse_timestamp(created)
    if status.observed_generation == 0 and then is not None and now - then < _UNSEEN:
        return
    words = (
        f"the operator has not looked at generation {generation} of this run; check that it runs "
        "and serves this namespace"
    )
    yield _obstacle("operator", words, command="waypost doctor")


def _of_run(run: JsonObject, status: AgentWorkflowStatus) -> Iterator[Obstacle]:
    name, spec = text(section(run, "metadata"), "name"), section(run, "spec")
    conditions = {item.type: item for item in status.conditions}
    set_aside, stalled = conditions.get(Condition.SET_ASIDE), conditions.get(Condition.STALLED)
    accepted = conditions.get(Condition.ACCEPTED)
    if set_aside is not None and set_aside.status == "True":
        yield _obstacle("set-aside", set_aside.message, since=set_aside.last_transition_time)
    if accepted is not None and accepted.status == "False":
        yield _obstacle("rejected", accepted.message, since=accepted.last_transition_time)
    elif accepted is not None and accepted.status == "Unknown":
        yield _obstacle("held", accepted.message, since=accepted.last_transition_time)
    if spec.get("suspend") is True:
        words = "the run is suspended: running nodes finish, no new node starts"
        yield _obstacle("suspended", words, command=f"waypost resume {name}")
    if stalled is not None and stalled.status == "True":
        yield _obstacle("stalled", stalled.message, since=stalled.last_transition_time)


def _of_node(
    node: NodeStatus, related: Related, pods: list[PodFact], run: JsonObject
) -> Iterator[Obstacle]:
    if node.phase == "Waiting" and node.approval is not None:
        yield _of_approval(node, related.approvals.get(node.approval))
    elif node.phase == "Backoff":
        words = f"the next attempt starts at {node.wake_at or 'a later time'}"
        words = f"{node.reason}: {node.message or ''}; {words}" if node.reason else words
        yield _obstacle("backoff", words, node=node.path)
    elif node.phase in ("Waiting", "Running") and node.child is not None:
        said = f": {node.reason}: {node.message}" if node.reason and node.message else ""
        yield _obstacle(
            "child",
            f"it waits for child run {node.child.name}{said}",
            node=node.path,
            since=node.started_at,
            command=f"waypost get {node.child.name}",
        )
    elif node.phase == "Waiting" and node.event is not None and node.reason is None:
        yield _of_event(run, node)
    elif node.phase == "Waiting" and node.wake_at is not None and node.reason is None:
        yield _obstacle("wait", f"it waits until {node.wake_at}", node=node.path)
    elif node.phase in ("Pending", "Waiting", "Running") and node.reason:
        words = f"{node.reason}: {node.message}" if node.message else node.reason
        yield _obstacle("reason", words, node=node.path)
    if node.phase == "Running":
        yield from _of_items(node, related)
        yield from _of_children(node, run)
        yield from _of_pods(node, pods)


def _of_items(node: NodeStatus, related: Related) -> Iterator[Obstacle]:
    """The open questions of the items of a map."""
    for name, approval in sorted(related.approvals.items()):
        asked = text(section(approval, "spec"), "path")
        open_ = (text(section(approval, "status"), "state") or "Open") == "Open"
        if open_ and node.items is not None and asked.startswith(f"{node.path}/"):
            since = text(section(approval, "metadata"), "creationTimestamp") or None
            item = NodeStatus(path=asked, phase="Waiting", approval=name, started_at=since)
            yield _of_approval(item, approval)


def _of_children(node: NodeStatus, run: JsonObject) -> Iterator[Obstacle]:
    """The child runs of a map that wait for something."""
    metadata = section(run, "metadata")
    for shown in (node.items.open if node.items is not None else None) or ():
        started, (_, message) = started_by(shown), words_of(shown)
        if started is None or message is None:
            continue
        child = child_name(
            run=text(metadata, "name"),
            run_uid=text(metadata, "uid"),
            path=f"{node.path}/{started[0]}",
            generation=started[1],
        )
        item = f"{node.path}/{shown.split()[0]}"
        words = f"it waits for child run {child}: {message.removeprefix(f'run {child}: ')}"
        yield _obstacle("child", words, node=item, command=f"waypost get {child}")


def _of_event(run: JsonObject, node: NodeStatus) -> Obstacle:
    wait = node.event
    assert wait is not None, "asked for by `_of_node`"
    nodes = items(run, "spec", "nodes")  # none for a run of a template
    names = section(named(nodes, node.path), "event").get("names") or ["NAME"]
    own = text(section(run, "metadata"), "name")
    whose = f"--key {shlex.quote(wait.key)}" if wait.key is not None else f"--run {own}"
    key = f" with key {wait.key}" if wait.key is not None else ""
    until = f", until {node.wake_at}" if node.wake_at else ""
    shown = "an event" if names == ["NAME"] else f"event {' or '.join(map(str, names))}"
    return _obstacle(
        "event",
        f"it waits for {shown}{key}{until}",
        node=node.path,
        since=node.started_at,
        command=f"waypost send {names[0]} {whose}",
    )


def _of_approval(node: NodeStatus, approval: JsonObject | None) -> Obstacle:
    spec = section(approval, "spec")
    asked = section(spec, "approvers")
    people = [*(asked.get("users") or ()), *(f"group {one}" for one in asked.get("groups") or ())]
    whom = f" by {', '.join(map(str, people))}" if people else ""
    level = f", escalation level {spec['level']}" if spec.get("level") else ""
    until = f", until {spec['expiresAt']}" if spec.get("expiresAt") else ""
    return _obstacle(
        "approval",
        f"it waits for an answer{whom}{level}{until}",
        node=node.path,
        since=node.started_at,
        command=f"waypost approve {node.approval}",
    )


def _of_pods(node: NodeStatus, pods: list[PodFact]) -> Iterator[Obstacle]:
    """Why pods of the node have not started."""
    for pod in pods:
        own = pod.path == node.path or pod.path.startswith(f"{node.path}/")
        if not own or pod.over or pod.started_at is not None:
            continue
        words = (
            pod.gated
            or pod.unschedulable
            or (f"{pod.init.reason}: {pod.init.text}" if pod.init else "")
            or ": ".join(part for part in (pod.waiting_reason, pod.waiting_message) if part)
        )
        if words and pod.waiting_reason not in ("ContainerCreating", "PodInitializing"):
            since = timestamp(pod.created_at) if pod.created_at is not None else None
            yield _obstacle("pod", f"pod {pod.name}: {words}", node=node.path, since=since)
