"""Loops of a simulated run, by docs/semantics.md: the iterations, their verdicts and their pauses.

Written from the statements, and independent of the engine. VL1 judges every run from its pods and
attempts; `after` says what must follow an iteration in a run without rounds.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from tests.fakes.nodes.programs import Execution, node_of
from tests.simulation.scenario.plan import Loop, Node, Scenario
from tests.simulation.scenario.programs import Gave
from tests.simulation.watching.evidence import AttemptStory, Evidence, RoundStory, Violation

ERROR: Final = "error"
_SLACK: Final = 0.001  # times are written in milliseconds


def verdict(node: Node, loop: Loop, output: Any) -> bool | str:
    """The value of `until` for an output; ERROR if it has none."""
    value = output
    for step in ("body", "n") if node.kind == "http" else ("n",):
        if not isinstance(value, dict) or step not in value:
            return ERROR
        value = value[step]
    return value > loop.above if type(value) is int else ERROR


def previous_input(node: Node, output: Any) -> dict[str, Any]:
    """The input that reads `previous`, for the output of the iteration before."""
    value = output
    for step in ("body", "n") if node.kind == "http" else ("n",):
        if not isinstance(value, dict) or step not in value:
            return {}
        value = value[step]
    return {"p": value}


def without_previous(node: Node, inputs: Any) -> Any:
    """The inputs of a pod without the one that VL1 judges."""
    if node.loop is None or not isinstance(inputs, dict):
        return inputs
    return {key: value for key, value in inputs.items() if key != "p"}


def iteration_of(seen: Evidence, story: AttemptStory) -> int | None:
    """The iteration of an attempt, by the path of its pods; None if it had no pod."""
    found = [pod.iteration for pod in seen.pods_of(story.path, story.number)]
    return found[0] if found else None


def most_runs(seen: Evidence, runs: list[Execution]) -> int:
    """How often the programs of one iteration ran, of the iteration with most of them."""
    counted = Counter(seen.pods[run.pod_uid].iteration for run in runs if run.pod_uid in seen.pods)
    return max(counted.values(), default=0)


def violations(scenario: Scenario, seen: Evidence) -> Iterator[Violation]:
    """VL1 of every node that is repeated."""
    for node in scenario.nodes:
        if node.loop is not None:
            yield from _of_node(scenario, seen, node, node.loop)


def _of_node(scenario: Scenario, seen: Evidence, node: Node, loop: Loop) -> Iterator[Violation]:
    expected, over, in_round = 0, False, 0
    before: AttemptStory | None = None
    previous: Any = None
    for story in seen.attempts_of(node.name):
        found = iteration_of(seen, story)
        rounds = _rounds_between(seen, before, story)
        if rounds:
            in_round = 0
            restarts = _may_restart(scenario, seen, node, rounds)
            if found == 0 and restarts:
                expected, over, previous = 0, False, None
            elif over and restarts:
                over = False
        if over:
            yield Violation("VL1", f"{node.name}: attempt {story.number} after the loop had ended")
        if found is not None and found != expected:
            text = f"attempt {story.number} is of iteration {found}, not of {expected}"
            yield Violation("VL1", f"{node.name}: {text}")
            return
        if before is not None and not rounds:
            yield from _paused(seen, node, loop, before, story)
        yield from _inputs(seen, node, story, previous)
        before = story
        output = _given(seen, node, story)
        if output is None:
            continue
        previous, in_round = output.output, in_round + 1
        ended = verdict(node, loop, output.output)
        if in_round > loop.max:
            yield Violation("VL1", f"{node.name}: {in_round} iterations, {loop.max} are allowed")
        over = ended is True
        expected += 1


def _given(seen: Evidence, node: Node, story: AttemptStory) -> Gave | None:
    """The output of an attempt that was recorded as Succeeded."""
    if story.reason != "Succeeded":
        return None
    given = [pod.meaning(node) for pod in seen.pods_of(node.name, story.number)]
    return next((one for one in given if isinstance(one, Gave)), None)


def _paused(
    seen: Evidence, node: Node, loop: Loop, before: AttemptStory, story: AttemptStory
) -> Iterator[Violation]:
    """A pause begins when the iteration was judged: after the end of its pod, and before its output
    and the status are written."""
    if before.reason != "Succeeded":
        return
    pause = story.recorded_at - seen.over_at(before)
    if pause < loop.pause - _SLACK:
        text = f"{node.name}: attempt {story.number} after {pause:.2f} s, not {loop.pause:.0f} s"
        yield Violation("VL1", text)


def _inputs(seen: Evidence, node: Node, story: AttemptStory, previous: Any) -> Iterator[Violation]:
    expected = previous_input(node, previous)
    for pod in seen.pods_of(node.name, story.number):
        if pod.act is None:
            continue
        found = {key: value for key, value in (pod.inputs or {}).items() if key == "p"}
        if found != expected:
            text = f"{node.name}: attempt {story.number} read {found} of the iteration before"
            yield Violation("VL1", f"{text}, expected {expected}")


def _rounds_between(
    seen: Evidence, before: AttemptStory | None, story: AttemptStory
) -> list[RoundStory]:
    since = before.recorded_at if before is not None else 0.0
    return [each for each in seen.rounds if since < each.began_at <= story.recorded_at]


def _may_restart(scenario: Scenario, seen: Evidence, node: Node, rounds: list[RoundStory]) -> bool:
    """Whether a loop may begin again: one of these rounds names a node, a round of the plan changes
    one, or something before the loop has run or was asked again."""
    changes = any(each.again or each.edit or each.given or each.skip for each in scenario.rounds)
    if changes or any(each.named for each in rounds):
        return True
    began = rounds[0].began_at
    before = [one for one in scenario.nodes if node.name in scenario.downstream(one.name)]
    names = {one.name for one in before}
    ran = any(
        story.recorded_at >= began
        for (path, _), story in seen.attempts.items()
        if node_of(path) in names
    )
    # Another list evaluates a map again, also if no item of it runs.
    relisted = any(name in names for each in scenario.rounds for name, _ in each.lists)
    asked = any(gate.path in names and gate.asked_at >= began for gate in seen.gates.values())
    # A round also repeats a node that ends again at once, without an attempt.
    undone = any(seen.nodes[name]["phase"] != "Succeeded" for name in names if name in seen.nodes)
    return ran or relisted or asked or undone or any(one.kind == "wait" for one in before)
