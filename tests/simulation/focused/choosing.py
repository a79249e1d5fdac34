"""Chooses the seeds that the gate plays of a focused simulation: few and short plays that have
everything.

What a plan has are features: which troubles, and of each field of the plan whether it is set,
which value it has, how many there are. A feature that at least three of the simulation's seeds
have is to be in two of the chosen ones. The choice is greedy: next comes the seed with the most
features that are still missing, for the size of its plan, which grows with how long its play
takes. A seeded bug keeps one seed: of those that have what it needs, the one with the smallest
plan that catches it. Nothing depends on the machine.
"""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS

KEPT: Final = 2  # chosen seeds that a feature is in
_COMMON: Final = 3  # seeds that have a feature which the gate must have
_MANY: Final = 3  # from here on the number does not matter


def features(value: Any, at: str = "") -> Iterator[str]:
    """What a plan has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name != "seed":
                yield from features(
                    getattr(value, field.name), f"{type(value).__name__}.{field.name}"
                )
    elif isinstance(value, Mapping):
        yield from features(tuple(value.values()), at)
    elif isinstance(value, (tuple, list, set, frozenset)):
        yield f"{at} has {min(len(value), _MANY)}"
        for one in sorted(value, key=repr):
            yield from features(one, at)
    elif isinstance(value, float):
        yield f"{at} is {'more' if value else 'zero'}"
    elif isinstance(value, int) and not isinstance(value, bool):
        yield f"{at} is {max(-1, min(value, _MANY))}"
    else:
        yield f"{at} is {value!r}"


def common(plans: Iterable[Any]) -> frozenset[str]:
    """The features that several of these plans have."""
    counts = Counter(each for planned in plans for each in set(features(planned)))
    return frozenset(name for name, count in counts.items() if count >= _COMMON)


def size(planned: Any) -> int:
    """How large a plan is."""
    return len(repr(planned))


def cover(plans: Mapping[int, Any]) -> list[int]:
    """Seeds of these that have every common feature, in ascending order."""
    wanted = Counter(dict.fromkeys(common(plans.values()), KEPT))
    has = {seed: frozenset(features(planned)) & set(wanted) for seed, planned in plans.items()}
    sizes = {seed: size(planned) for seed, planned in plans.items()}
    chosen: list[int] = []
    while +wanted:

        def worth(seed: int) -> tuple[float, int]:
            return sum(wanted[name] > 0 for name in has[seed]) / sizes[seed], -seed

        best = max(has, key=worth)
        chosen.append(best)
        for name in has.pop(best):
            wanted[name] -= 1
    return sorted(chosen)


def catch(bug: Bug[Any]) -> int | None:
    """The seed that the gate has for a bug if it still catches it, else the one with the smallest
    plan that does."""
    for seed in gate.catching(bug.bugs.name, bug.name):
        if bug.caught(seed):
            return seed
    for seed in sorted(bug.seeds(), key=lambda seed: (size(bug.bugs.drawn(seed)), seed)):
        if bug.caught(seed):
            return seed
    return None


def choose(*, jobs: int) -> dict[str, list[int]]:
    """Seeds for each simulation and for each of its bugs, as gate.py keeps them."""
    found: dict[str, list[int]] = {}
    hunted: list[tuple[str, int]] = []
    for name, (bugs, count) in SIMULATIONS.items():
        found[name] = cover({seed: bugs.drawn(seed) for seed in range(count)})
        print(f"{name:40} {len(found[name])} of {count} seeds", file=sys.stderr, flush=True)
        hunted += [(name, at) for at in range(len(bugs.all))]
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for (name, at), seed in zip(hunted, pool.map(_hunted, hunted), strict=True):
            bug = SIMULATIONS[name][0].all[at]
            print(f"{name}:{bug.name:40} {seed}", file=sys.stderr, flush=True)
            if seed is not None:
                found[f"{name}:{bug.name}"] = [seed]
    return found


def _hunted(which: tuple[str, int]) -> int | None:
    name, at = which
    return catch(SIMULATIONS[name][0].all[at])
