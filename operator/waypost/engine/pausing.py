"""Runs that wait for a person: a node with `onFailure: Pause` has failed (S42).

Only what waits for that node waits too. The run ends when somebody cancels it, when its deadline
passes, or when another node fails it.
"""

import json

from waypost.engine import scope
from waypost.engine.draft import Draft, shorten


def paused(draft: Draft) -> list[str]:
    """The failed nodes that hold the run until a person sees to them, in topological order."""
    return [path for path in draft.in_phase("Failed") if scope.pauses(draft.node(path))]


def goes_on(draft: Draft, held: list[str]) -> bool:
    """Whether something of the run still moves by itself while the nodes `held` hold it."""
    blocked = {name for path in held for name in draft.graph.downstream(path)}
    return any(
        not draft.ended(path) and not (draft.statuses[path].phase == "Pending" and path in blocked)
        for path in draft.graph.order
    )


def explain(draft: Draft, held: list[str]) -> str:
    """What failed and how to go on, for the condition Stalled."""
    status = draft.statuses[held[0]]
    more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
    failed = shorten(f"{held[0]} failed: {status.reason}: {status.message}", 1024)
    return f"{failed}{more}. Fix the cause, then: {command(draft)}"


def command(draft: Draft) -> str:
    """The kubectl command that begins the next round: the failed nodes and what comes after them
    run again."""
    observed = draft.observed
    asked: dict[str, int | None] = {"round": observed.status.round + 1}
    if draft.spec.rerun is not None:
        # A merge patch keeps what it does not name, and these were meant for one round.
        last = draft.spec.rerun.model_dump(by_alias=True, exclude_none=True)
        asked |= {key: None for key in last if key != "round"}
    patch = json.dumps({"spec": {"rerun": asked}}, separators=(",", ":"))
    where = f"-n {observed.namespace} --type merge"
    return f"kubectl patch aw {observed.name} {where} -p '{patch}'"
