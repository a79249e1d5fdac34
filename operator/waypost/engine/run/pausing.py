"""Runs that wait for a person: a node with `onFailure: Pause` has failed (S42).

Only the nodes downstream of it wait too. The run ends when a person cancels it, when its deadline
passes, or when another node fails it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from waypost.api.status import AgentWorkflowStatus
from waypost.compiler import on_failure
from waypost.engine.rounds.begin import undecided
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.protocol.text import shorten


def paused(transition: Transition) -> list[str]:
    """The failed nodes that pause the run until a person acts, in topological order."""
    return [
        path for path in transition.of_stage("Failed") if on_failure.pauses(transition.node(path))
    ]


def can_continue(transition: Transition, held: list[str]) -> bool:
    """Whether other nodes of the run can continue while the nodes `held` pause it."""
    blocked = {name for path in held for name in transition.graph.downstream(path)}
    choosers = set(transition.graph.choosers)  # they only follow their candidates once they wait
    return any(
        not transition.ended(path)
        and not (transition.statuses[path].phase == "Pending" and path in blocked)
        and not (transition.statuses[path].phase == "Waiting" and path in choosers)
        for path in transition.of_stage()
    )


def explain(transition: Transition, held: list[str], status: AgentWorkflowStatus) -> str:
    """What failed and how to continue, for the condition Stalled of a run with this status."""
    first = transition.statuses[held[0]]
    more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
    failed = shorten(f"{held[0]} failed: {first.reason}: {first.message}", 1024)
    return f"{failed}{more}. Fix the cause, then: {next_round(transition, status)}"


def next_round(transition: Transition, status: AgentWorkflowStatus) -> str:
    """How the round after this status begins: a command, or what a person must decide before."""
    problem = undecided(replace(transition.observed, status=status))
    if problem is None:
        return _command(transition)
    return f"begin round {status.round + 1} with a decision: {problem.message}"


def _command(transition: Transition) -> str:
    """The kubectl command that begins the next round, in which the failed nodes and all nodes
    downstream of them run again."""
    observed = transition.observed
    rerun: dict[str, int | None] = {"round": observed.status.round + 1}
    if transition.spec.rerun is not None:
        # A merge patch keeps fields that it does not name, but these were for one round only.
        last = transition.spec.rerun.model_dump(by_alias=True, exclude_none=True)
        rerun |= {key: None for key in last if key != "round"}
    return patch_command(observed, rerun)


def patch_command(observed: Observed, rerun: Mapping[str, int | str | None]) -> str:
    """The kubectl command that sets fields of `spec.rerun`."""
    patch = json.dumps({"spec": {"rerun": rerun}}, separators=(",", ":"))
    where = f"-n {observed.namespace} --type merge"
    return f"kubectl patch aw {observed.name} {where} -p '{patch}'"
