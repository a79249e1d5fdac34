"""The token budget of a simulated run."""

from collections.abc import Iterator

from waypost.kube.objects import section

from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.watching.evidence import Evidence, Violation


def over_budget(scenario: Scenario, seen: Evidence) -> Iterator[Violation]:
    """I13: what was recorded as used is within the budget, plus what was in progress."""
    allowed = scenario.tokens
    if allowed is None:
        return
    usage = section(seen.run, "status", "usage")
    spent = int(usage.get("outputTokens") or 0)
    agents = sum(_attempts_at_once(node) for node in scenario.nodes if node.kind == "agent")
    if spent > allowed + agents:
        yield Violation("I13", f"{spent} tokens were used up, of {allowed}")


def _attempts_at_once(node: Node) -> int:
    """How many attempts of a node share the budget: each of them may use one token at least."""
    return node.max_parallel if node.is_map else 1
