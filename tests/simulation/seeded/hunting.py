"""How a seeded bug is planted and hunted: with seeds that have what it needs to show itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import pytest

from tests.simulation import pinned
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import gate
from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Scenario
from tests.simulation.shrink import broken
from tests.simulation.watching.evidence import Violation

Focus = Callable[[Scenario], bool]
LIMIT: Final = 60  # focused seeds that a bug may hide in


@dataclass(frozen=True)
class Bug:
    """A breakage: how it is planted, which invariants must name it, which seeds can show it."""

    name: str
    plant: Callable[[pytest.MonkeyPatch], None]
    caught_by: frozenset[str]
    focus: Focus

    def hunt(self) -> tuple[int, list[Violation]] | None:
        """A seed that shows it, and what it broke; None when it stays hidden. The seed of the gate
        comes first, then the other pinned ones, and mostly the first of them shows it."""
        known = gate.catching(gate.MAIN, self.name), pinned.catching(self.name)
        for seed in chain(*known, self.seeds()):
            if violations := self.caught(seed):
                return seed, violations
        return None

    def caught(self, seed: int) -> list[Violation]:
        """What it breaks in the play of a seed; nothing unless an invariant about it breaks."""
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch)
            violations, _ = play(scenario(seed))
        return violations if broken(violations) & self.caught_by else []

    def seeds(self, limit: int = LIMIT) -> Iterator[int]:
        """Seeds that have what the bug needs."""
        found = 0
        seed = 0
        while found < limit:
            if self.focus(_scenario(seed)):
                found += 1
                yield seed
            seed += 1


@lru_cache(maxsize=4096)
def _scenario(seed: int) -> Scenario:
    """Many bugs look through the same seeds."""
    return scenario(seed)


BUGS: Final[list[Bug]] = []


def bug(*caught_by: str, focus: Focus = lambda _: True) -> Callable[[Any], Any]:
    """Put a planting function on the list, under its own name."""

    def register(plant: Callable[[pytest.MonkeyPatch], None]) -> Any:
        name = plant.__name__.strip("_").replace("_", "-")
        BUGS.append(Bug(name, plant, frozenset(caught_by), focus))
        return plant

    return register


def suffers(*kinds: str, choice: str = "") -> Focus:
    """Scenarios with one of these troubles."""
    return lambda plan: any(t.kind in kinds and choice in t.choice for t in plan.troubles)


def acts(*names: str, kind: str = "", once: bool = False, limit: int = 0) -> Focus:
    """Scenarios in which such a program may run in a first attempt, unless something goes wrong."""
    return lambda plan: any(
        bool(node.acts)
        and node.acts[0].name in names
        and kind in ("", node.kind)
        and node.once >= once
        and node.limit >= limit
        and not node.upstream
        for node in plan.nodes
    )


def holds(kind: str) -> Focus:
    """Scenarios with a node of this kind, on which nothing else is needed."""
    return lambda plan: any(node.kind == kind and not node.upstream for node in plan.nodes)


def both(*focuses: Focus) -> Focus:
    return lambda plan: all(focus(plan) for focus in focuses)
