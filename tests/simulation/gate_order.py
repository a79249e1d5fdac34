"""I8: a node that needs a gate has no Job before the end of the gate is recorded."""

from collections.abc import Iterator

from tests.simulation.evidence import Evidence, GateStory
from tests.simulation.plan import Node, Scenario

_SLACK = 1.0  # seconds; Kubernetes stamps whole seconds


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
        if not states & allowed and not silent:
            yield f"{node.name} was started, and its gate {name} is {sorted(states)}"
        needs_yes = node.when is not None and node.when.form == "approved"
        if needs_yes and node.when.node == name and "Approved" not in states:  # type: ignore[union-attr]
            yield f"{node.name} needs a yes of {name}, which is {sorted(states)}"


def _ends_in_silence(scenario: Scenario, gate: Node, story: GateStory, now: float) -> bool:
    """Whether a gate ends without an answer although its Approval cannot show it (S69)."""
    if gate.patience is None or not gate.denied_continues or gate.expiry_fails:
        return False
    refused = any(t.kind == "refuse" and t.choice.endswith(" answers") for t in scenario.troubles)
    due = story.waiting_since + gate.patience
    unanswered = all(at > due for at, _ in story.answers)
    return refused and unanswered and story.state == "Open" and now >= due - _SLACK
