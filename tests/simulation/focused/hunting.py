"""How a seeded bug of one feature is planted and hunted: in plans that have what it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import Generic, TypeVar

import pytest

from tests.simulation.focused import gate
from tests.simulation.watching.evidence import Violation

Plan = TypeVar("Plan")
Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug(Generic[Plan]):
    """A breakage, the invariants that must name it, and the plans that can show it."""

    name: str
    plant: Plant
    caught_by: frozenset[str]
    focus: Callable[[Plan], bool]
    bugs: "Bugs[Plan]"

    def hunt(self) -> tuple[int, list[Violation]] | None:
        """A seed that shows it, and what it broke; None when it stays hidden. The seed that the
        gate has for it comes first (focused/gate.py), and mostly it is enough."""
        for seed in chain(gate.catching(self.bugs.name, self.name), self.seeds()):
            if violations := self.caught(seed):
                return seed, violations
        return None

    def caught(self, seed: int) -> list[Violation]:
        """What it breaks in the play of a seed; nothing unless an invariant about it breaks."""
        planned = self.bugs.drawn(seed)
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch)
            violations = self.bugs.play(planned)
        return violations if {one.invariant for one in violations} & self.caught_by else []

    def seeds(self) -> Iterator[int]:
        """Seeds that have what the bug needs, as many as the simulation allows."""
        having = (seed for seed in count() if self.focus(self.bugs.drawn(seed)))
        return islice(having, self.bugs.limit)


@dataclass(frozen=True)
class Bugs(Generic[Plan]):
    """The seeded bugs of one simulation. Call it as a decorator to add one.

    Attributes:
        name: The simulation, as in `gate.txt`.
        drawn: The plan of a seed.
        play: Everything that is wrong with the play of a plan.
        limit: How many plans with what a bug needs are played.
        all: The bugs, in the order in which they were added.
    """

    name: str
    drawn: Callable[[int], Plan]
    play: Callable[[Plan], list[Violation]]
    limit: int
    all: list[Bug[Plan]] = field(default_factory=list)

    def __call__(self, *caught_by: str, focus: Callable[[Plan], bool]) -> Callable[[Plant], Plant]:
        """Add a seeded bug."""

        def add(plant: Plant) -> Plant:
            name = plant.__name__.strip("_")
            self.all.append(Bug(name, plant, frozenset(caught_by), focus, self))
            return plant

        return add
