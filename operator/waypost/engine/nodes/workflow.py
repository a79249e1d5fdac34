"""Kind `workflow`: nodes without a pod whose attempt is a child run.

The status names the child run before it is created. A child starts nothing before a live read of
its parent has shown that the node waits for it. What the parent requests of a child (cancel,
suspend, a round) is in the status first, and is repeated until the child shows it.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.changes import changed_child
from waypost.api.paths import is_item
from waypost.api.state.child import ChildStatus
from waypost.api.status import NodeStatus
from waypost.compiler import node_settings
from waypost.engine.nodes.children import leftovers, patches, requests, result, rounds, runs
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling import deadlines, loops, remembering
from waypost.engine.scheduling.inputs import resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.decision import StartChild
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.lent import in_total
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import Succeeded
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.engine.state.usage import total
from waypost.kube import timestamps
from waypost.kube.facts.children import ChildFact
from waypost.kube.facts.jobs import is_recent
from waypost.kube.facts.read_problems import OBJECTS
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_LOOK_AGAIN: Final = timedelta(seconds=30)


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record the child run of a node, and create it; or let the one that it has continue."""
    status = transition.statuses[path]
    child = status.child or runs.first(transition, path)
    parent = runs.lineage(transition, path)
    if isinstance(parent, Invalid):
        transition.end(path, "Failed", Reason.TOO_DEEP, parent.message)
        return
    fact = None
    if child.uid is not None:
        if not transition.observed.live:
            _wait_for_live(transition, path)
            return
        fact = requests.found(transition, child)
        if fact is not None and _can_continue(transition, path, fact, inputs):
            child = patches.reaching_next_round(child, fact)
        elif fact is not None and not fact.finished and not fact.deleting:
            child = changed_child(child, stopping=str(Reason.SUPERSEDED))
            transition.update(path, phase="Superseding", child=child)
            requests.repeat(transition, fact, child)
            return
        else:
            fact, child = None, runs.following(transition, path, child)
            if is_item(path):  # the map has counted what the earlier one used
                transition.update(path, usage=None)
                status = transition.statuses[path]
    lent = in_total(transition.lent.get(path), status, continues=fact is not None)
    child = changed_child(child, budget=lent)
    body = runs.manifest(transition, path, child, inputs=inputs, parent=parent)
    if isinstance(body, Invalid):
        transition.end(path, "Failed", Reason.INPUT_INVALID, body.message)
        return
    if fact is None and status.loop is not None:  # numbers the iterations that have begun
        transition.update(path, attempt=(status.attempt or 0) + 1)
    transition.update(
        path,
        phase="Running",
        reason=None,
        message=None,
        child=child,
        input_digest=inputs.digest,
        wake_at=None,
        started_at=timestamps.timestamp(transition.now),
    )
    if is_item(path) or path in transition.graph.compensations:
        number = (status.attempt or 0) + 1 if fact is not None else child.generation
        transition.update(path, attempt=number)
    if fact is not None:
        rounds.repeat(transition, path, fact, child)
    else:
        transition.after.append(StartChild(path=path, manifest=body))
    transition.requeue_at(transition.now + requests.LOOK_AFTER)


def watch(transition: Transition, path: str) -> None:
    """End a node whose child run has ended, or pass on to the child what it has to do."""
    child = transition.statuses[path].child
    if child is None:  # no operator writes such a status; start again
        transition.update(path, phase="Pending")
        return
    fact = requests.found(transition, child)
    if fact is None:
        _missing(transition, path, child)
        return
    if child.uid is None:
        child = changed_child(child, uid=fact.uid)
        transition.update(path, child=child)
    transition.update(path, usage=total((child.earlier, fact.usage)))
    ended = fact.has_ended(child.round) or result.never_began(fact, child)
    if ended or _will_not_begin(fact, child):
        outcome = result.take(transition, path, child, fact)
        if outcome is not None:
            _succeed(transition, path, child, outcome)
    elif fact.deleting:
        text = f"run {fact.name} was deleted before it had ended"
        result.fail(transition, path, child, Reason.CHILD_DELETED, text)
    else:
        _continue(transition, path, child, fact)


def _succeed(transition: Transition, path: str, child: ChildStatus, outcome: Succeeded) -> None:
    """End a node, or the iteration of one that is repeated, with the output of its child run. Each
    iteration has a child run."""
    if not loops.is_loop(transition, path):
        transition.update(path, child=changed_child(child, stopping=None))
        remembering.succeed(transition, path, outcome)
        return
    if unread := unread_by(transition, path):  # by repeat.until
        transition.wait_to_read(path, unread)
        return
    problem = transition.result_problem(path, outcome) or remembering.problem(transition, path)
    if problem is not None:
        transition.without_record(path, problem)
        return
    transition.update(path, child=changed_child(child, stopping=None))
    loops.end_iteration(transition, path, transition.as_stored(path, outcome))
    status = transition.statuses[path]
    if status.phase == "Backoff":
        following = patches.following(transition.observed, status, child)
        transition.update(path, child=following)


def _will_not_begin(fact: ChildFact, child: ChildStatus) -> bool:
    """Whether a child has refused the round of its parent, and can no longer begin it: a cancel is
    in its spec."""
    refused = fact.finished and bool(fact.stalled)
    return refused and child.stopping is not None and fact.requests.cancel


def _missing(transition: Transition, path: str, child: ChildStatus) -> None:
    """No run with the name of the child is known: it is not created yet, or it is gone."""
    problem = transition.observed.child_problems.get(child.name)
    if problem is not None and problem.permanent:
        result.fail(transition, path, child, Reason.LAUNCH_REJECTED, problem.message)
        return
    _wait_for_live(transition, path)
    if not transition.observed.live:
        return
    if child.uid is not None:
        text = f"run {child.name} was deleted before it had ended"
        result.fail(transition, path, child, Reason.CHILD_DELETED, text)
    elif child.stopping is not None:
        # A child that is created later reads this status, and starts nothing.
        if _was_stopping(transition, path):
            result.fail(transition, path, child, Reason.CANCELLED, "stopped before it started")
    elif reason := deadlines.why_not_started(transition, path):
        requests.stop(transition, path, reason)
    elif (
        problem is not None
        and is_recent(problem, transition.now)  # else it may have passed (S520)
        and _queued_too_long(transition, path, problem.since)
    ):
        transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem.message)
        requests.stop(transition, path, Reason.LAUNCH_REJECTED)
    else:
        if problem is not None:
            transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem.message)
        _create_again(transition, path, child)


def _wait_for_live(transition: Transition, path: str) -> None:
    """Look again soon; name why the child runs cannot be listed, if that lasts."""
    transition.requeue_at(transition.now + requests.LOOK_AFTER)
    if unread := transition.observed.unread.get(OBJECTS):
        transition.wait_to_read(path, unread)


def _was_stopping(transition: Transition, path: str) -> bool:
    """Whether the stop is in the stored status, which a child reads before it starts anything."""
    opened = transition.map_of(path)
    nodes = opened.stored.values() if opened else transition.observed.status.nodes
    known = next((status for status in nodes if status.path == path), None)
    return known is not None and known.child is not None and known.child.stopping is not None


def _create_again(transition: Transition, path: str, child: ChildStatus) -> None:
    if unread := unread_by(transition, path):
        transition.wait_to_read(path, unread)
        return
    inputs, parent = resolve(transition, path), runs.lineage(transition, path)
    if isinstance(inputs, Invalid) or isinstance(parent, Invalid):
        requests.stop(transition, path, Reason.INPUT_INVALID)
        return
    body = runs.manifest(transition, path, child, inputs=inputs, parent=parent)
    if isinstance(body, Invalid):
        requests.stop(transition, path, Reason.INPUT_INVALID)
        return
    transition.after.append(StartChild(path=path, manifest=body))


def _continue(transition: Transition, path: str, child: ChildStatus, fact: ChildFact) -> None:
    """Pass on what the child has to do, and show what it waits for."""
    status = transition.statuses[path]
    if child.stopping is None:
        if text := _change(transition, path, fact):
            transition.name_trouble(path, Reason.CHILD_CHANGED, text)
            requests.stop(transition, path, Reason.CHILD_CHANGED)
            return
        if _waits_too_long(transition, path, fact):
            requests.stop(transition, path, Reason.MISSING_REFERENCE)
            return
        if fact.requested_round < child.round:
            rounds.repeat(transition, path, fact, child)
    requests.repeat(transition, fact, child)
    _show(transition, path, status, fact)
    transition.requeue_at(transition.now + _LOOK_AGAIN)


def _show(transition: Transition, path: str, status: NodeStatus, fact: ChildFact) -> None:
    missing = str(Reason.MISSING_REFERENCE)
    if fact.not_accepted.startswith(missing):
        why = fact.not_accepted.partition(": ")[2]
        transition.name_trouble(path, Reason.MISSING_REFERENCE, f"run {fact.name}: {why}")
        return
    problem = transition.observed.child_problems.get(fact.name)
    if problem is not None and patches.changes(transition.after, fact):
        refused = f"run {fact.name} cannot be changed: {problem.message}"
        transition.name_trouble(path, Reason.STOP_REJECTED, refused)
        return
    waits = f"waits for {fact.waiting}" if fact.waiting else ""
    trouble = fact.stalled or fact.not_accepted or waits or fact.says
    text = shorten(f"run {fact.name}: {trouble}", 1024) if trouble else None
    if (status.reason, status.message) != (None, text):
        transition.update(path, reason=None, message=text)


def _change(transition: Transition, path: str, fact: ChildFact) -> str:
    """What a person has changed in a child run; "" if nothing."""
    if node_of(path) in transition.observed.definition.stand_ins:
        return ""  # its definition is lost: nothing to compare with
    template = runs.template_of(transition, path)
    if fact.template != template:
        found = fact.template if fact.template.name else "its own nodes"
        return f"run {fact.name} runs {found} instead of template {template}"
    digest = transition.statuses[path].input_digest or ""  # of an item only its beginning
    if not digest or not fact.inputs_digest.startswith(digest):
        return f"the inputs of run {fact.name} are no longer those of this node"
    return ""


def _waits_too_long(transition: Transition, path: str, fact: ChildFact) -> bool:
    """Whether the template of a child run has been missing for queueTimeout."""
    if not fact.not_accepted.startswith(str(Reason.MISSING_REFERENCE)):
        return False
    child = transition.statuses[path].child
    if fact.round > 1 or (child is not None and child.round > 1):
        return False  # it has begun: its checkpoints are worth the wait
    since = timestamps.parse_timestamp(transition.statuses[path].started_at)
    return _queued_too_long(transition, path, since)


def _queued_too_long(transition: Transition, path: str, since: datetime | None) -> bool:
    """Whether queueTimeout of a node has passed since then."""
    seconds = node_settings.queue_timeout_of(transition.spec, transition.node(path))
    until = (since or transition.now) + timedelta(seconds=seconds)
    transition.requeue_at(until)
    return transition.now >= until


def needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether a live read of the child runs must show that one does not exist, or in which round it
    is."""
    child = status.child
    if child is None:
        return False
    if status.phase in ("Pending", "Backoff"):  # it may continue
        return child.uid is not None
    fact = observed.children.get(child.name)
    if fact is not None:
        return False
    since = timestamps.parse_timestamp(status.started_at)
    looked = observed.live_at or since
    return looked is None or now >= looked + requests.LOOK_AFTER


def _can_continue(transition: Transition, path: str, fact: ChildFact, inputs: Inputs) -> bool:
    same = fact.inputs_digest == inputs.digest
    same = same and fact.template == runs.template_of(transition, path)
    final = fact.cancelled or fact.deleting or fact.requests.cancel or fact.phase == "Rejected"
    return same and not final


KIND: Final = EngineKind(
    "workflow",
    start=start,
    watch=watch,
    stop=requests.stop,
    is_superseded=patches.is_superseded,
    needs_live_read=needs_live_read,
    clean_up=leftovers.clean_up,
)
