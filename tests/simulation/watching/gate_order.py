"""I8: a node that needs a gate has no Job before the end of the gate is recorded."""

from collections.abc import Iterator
from typing import Final

from tests.simulation.scenario.plan import STRANGE, Node, Scenario
from tests.simulation.watching.evidence import Evidence, GateStory

_TO_SEE: Final = 6.0  # seconds that a watch needs at most
_ROUNDED: Final = 0.001  # seconds; `expiresAt` has milliseconds, the clock of a play has more


def started_too_soon(scenario: Scenario, seen: Evidence, node: Node, now: float) -> Iterator[str]:
    """What is wrong with a Job of `node` that is created now, in words."""
    for name in node.hard:
        gate = scenario.by_name[name]
        if gate.kind != "approval":
            continue
        allowed = {"Approved", *(["Denied"] if gate.denied_continues else [])}
        valid = seen.stale.get(name, 0.0)  # before that it was asked for something else
        asked = [g for g in seen.gates.values() if g.path == name and g.asked_at >= valid]
        states = {story.state for story in asked}
        silent = any(_ends_in_silence(scenario, gate, story, now) for story in asked)
        unasked = _ends_unasked(scenario, seen, gate, asked, now)
        if not states & allowed and not silent and not unasked:
            yield f"{node.name} was started, and its gate {name} is {sorted(states)}"
        needs_yes = node.when is not None and node.when.form == "approved"
        if needs_yes and node.when.node == name and "Approved" not in states:  # type: ignore[union-attr]
            yield f"{node.name} needs a yes of {name}, which is {sorted(states)}"


def _ends_in_silence(scenario: Scenario, gate: Node, story: GateStory, now: float) -> bool:
    """Whether a gate ends without an answer although its Approval cannot show it (S69)."""
    unanswered = story.state == "Open" and not was_answered(scenario, story)
    return unanswered and _may_expire(scenario, gate, "answers", now - story.due)


def _ends_unasked(
    scenario: Scenario, seen: Evidence, gate: Node, asked: list[GateStory], now: float
) -> bool:
    """Whether a gate expires without an Approval, whose creation is refused (S69)."""
    waiting = seen.waiting.get(gate.name)
    absent = all(s.gone_at is not None and not was_answered(scenario, s) for s in asked)
    if waiting is None or not absent:
        return False
    late = now - waiting.decided_at - (gate.patience or 0.0)
    return _may_expire(scenario, gate, "approvals", late)


def was_answered(scenario: Scenario, story: GateStory) -> bool:
    """Whether an operator must have seen an answer before the expiry (S70).

    One that is away, or whose watch is late, may see it after the expiry: then it counts as late.
    """
    undisturbed = {trouble.kind for trouble in scenario.troubles} <= STRANGE
    return undisturbed and any(at < story.due - _TO_SEE for at, _ in story.answers)


def _may_expire(scenario: Scenario, gate: Node, what: str, late: float) -> bool:
    """Whether a gate whose expiry was so many seconds ago may have expired while these requests
    were refused."""
    if gate.patience is None or not gate.denied_continues or gate.expiry_fails:
        return False
    refused = any(t.kind == "refuse" and t.choice.endswith(f" {what}") for t in scenario.troubles)
    return refused and late >= -_ROUNDED
