"""Chooses the pinned seeds: few, and each for what it adds; and of these the ones that the gate
plays.

A pool of seeds is played. What happened in a play is a set of events (a trouble, the kind of a
node, the end of an attempt, a round, a pause, a deadline). What a seed adds are pairs of a trouble
and another event. The first seeds are those that catch the seeded bugs, two for each. The rest is a
greedy cover of the pairs: each time that a pair is covered, it counts half as much for the next.

The gate plays a part of them, chosen by what their plans have (focused/choosing.py), and each
seeded bug with the smallest plan that catches it. `make nightly` plays all.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from heapq import heapify, heappop, heappush
from itertools import chain, islice
from typing import Final

from tests.simulation import pinned
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import choosing, gate
from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import LIMIT, Bug
from tests.simulation.watching.evidence import Evidence

CATCHES: Final = 2  # pinned seeds that each bug is to be caught by
FURTHER: Final = 5 * LIMIT  # seeds that a bug is looked for in
Pairs = frozenset[tuple[str, str]]


def choose(
    bugs: Iterable[Bug], *, pool: int, size: int, jobs: int
) -> tuple[dict[int, list[str]], Counter[str]]:
    """`size` seeds below `pool`, each with the bugs that it catches, and how often each trouble
    happened in them."""
    chosen: dict[int, list[str]] = {}
    for bug in bugs:
        _catch(bug, chosen)
    pairs = _played(range(pool), jobs)
    left = {seed: found for seed, found in pairs.items() if seed not in chosen}
    covered = Counter(pair for seed in chosen for pair in pairs.get(seed) or pairs_of(seed))
    for seed in cover(left, size=size - len(chosen), covered=covered):
        chosen[seed] = []
    troubles = Counter(name for seed in chosen for name in {a for a, _ in pairs.get(seed, ())})
    return chosen, troubles


def add_catches(bugs: Iterable[Bug]) -> dict[int, list[str]]:
    """The pinned seeds, each with the bugs that it still catches, and further ones for each bug
    that fewer than two catch."""
    asked, known = list(bugs), pinned.read()
    chosen: dict[int, list[str]] = {seed: [] for seed in known}
    for bug in asked:
        for seed in (seed for seed, names in known.items() if bug.name in names):
            if bug.caught(seed):
                chosen[seed].append(bug.name)
            else:
                print(f"{bug.name:40} no longer caught by {seed}", file=sys.stderr, flush=True)
    for bug in asked:
        if sum(bug.name in names for names in chosen.values()) < CATCHES:
            _catch(bug, chosen)
    return chosen


def _catch(bug: Bug, chosen: dict[int, list[str]]) -> None:
    """Add seeds that catch the bug; those that are chosen already are tried first."""
    mine = [seed for seed, names in chosen.items() if bug.name in names]
    tried = [seed for seed in chosen if seed not in mine and bug.focus(scenario(seed))]
    further = (seed for seed in bug.seeds(FURTHER) if seed not in chosen)
    for seed in chain(islice(tried, LIMIT), further):
        if len(mine) >= CATCHES:
            break
        if bug.caught(seed):
            chosen.setdefault(seed, []).append(bug.name)
            mine.append(seed)
    print(f"{bug.name:40} {mine or 'NOT CAUGHT'}", file=sys.stderr, flush=True)


def cover(pairs: Mapping[int, Pairs], *, size: int, covered: Counter[tuple[str, str]]) -> list[int]:
    """Greedily `size` seeds; `covered` counts how often each pair is covered, and is updated."""

    def worth(seed: int) -> float:
        return sum((0.5 ** covered[pair] for pair in pairs[seed]), start=0.0)

    heap = [(-worth(seed), seed) for seed in pairs]
    heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < size:
        _, seed = heappop(heap)
        now = -worth(seed)  # worths only fall: the first that is still the best is the best
        if heap and now > heap[0][0]:
            heappush(heap, (now, seed))
            continue
        chosen.append(seed)
        covered.update(pairs[seed])
    return chosen


def for_gate(known: Mapping[int, Iterable[str]]) -> dict[str, list[int]]:
    """Of the pinned seeds those that the gate plays, and one for each bug, as `gate.write` takes
    it."""
    plans = {seed: scenario(seed) for seed in known}
    found = {gate.MAIN: choosing.cover(plans)}
    catching: dict[str, list[int]] = {}
    for seed, names in known.items():
        for name in names:
            catching.setdefault(name, []).append(seed)
    for name, seeds in catching.items():
        least = min(seeds, key=lambda seed: (choosing.size(plans[seed]), seed))
        found[f"{gate.MAIN}:{name}"] = [least]
    return found


def _played(seeds: Sequence[int], jobs: int) -> dict[int, Pairs]:
    found: dict[int, Pairs] = {}
    with ProcessPoolExecutor(max_workers=jobs) as workers:
        for seed, pairs in zip(seeds, workers.map(pairs_of, seeds, chunksize=25), strict=True):
            found[seed] = pairs
            if len(found) % 100 == 0:
                print(f"\r{len(found)} of {len(seeds)} seeds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def pairs_of(seed: int) -> Pairs:
    """What a seed exercises: pairs of a trouble that happened and another event."""
    plan = scenario(seed)
    _, seen = play(plan)
    troubles = _troubles(plan, seen)
    events = _events(plan, seen)
    found = {(trouble, event) for trouble in troubles for event in events}
    found |= {(first, second) for first in troubles for second in troubles if first < second}
    found |= {("calm", event) for event in events if not troubles}
    return frozenset(found)


def _troubles(plan: Scenario, seen: Evidence) -> set[str]:
    happened = {name for name, count in seen.exercised.items() if count}
    planned = {trouble.kind for trouble in plan.troubles}
    choices = {f"{t.kind} {t.choice}" for t in plan.troubles if t.choice and t.kind in happened}
    return (happened & planned) | choices


def _events(plan: Scenario, seen: Evidence) -> set[str]:
    """Rounds and their changes, pauses, deadlines, kinds, programs, and how things ended."""
    planned = {trouble.kind for trouble in plan.troubles}
    found = {name for name, count in seen.exercised.items() if count and name not in planned}
    found |= {f"node {node.kind}" for node in plan.nodes}
    found |= {f"program {pod.act.name}" for pod in seen.pods.values() if pod.act}
    found |= {f"attempt {story.reason}" for story in seen.attempts.values() if story.reason}
    found |= {f"end {node['phase']}" for node in seen.nodes.values()}
    found |= {f"round {each.moment}" for each in plan.rounds}
    found |= {"deadline of the run"} if plan.deadline is not None else set()
    found |= {"deadline of a node" for node in plan.nodes if node.deadline is not None}
    found |= {"egress"} if any(node.egress for node in plan.nodes) else set()
    found |= {"tokens"} if plan.tokens is not None else set()
    found.add(f"run {seen.run['status']['phase']}" if seen.finished_at else "run deleted")
    return found
