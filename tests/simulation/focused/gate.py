"""Which seeds the gate plays of each simulation: `tests/simulation/gate.txt`.

`python -m tests.simulation choose --gate` writes the file (tests/simulation/focused/choosing.py
says how the seeds are chosen). The other seeds are tests too, which only `make nightly` plays.
`main` is the simulation of whole workflows, whose seeds are those of `seeds.txt`; the others are
the focused ones, by their folder.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest

PATH: Final = Path(__file__).parents[1] / "gate.txt"
MAIN: Final = "main"
_HEADER: Final = """\
# What the gate plays, chosen by `python -m tests.simulation choose --gate`; do not edit.
# A simulation and its seeds; a simulation, a seeded bug of it and the seed that catches it.
"""
_PART: Final = 5  # seeds in one test, so that a failure names few


@lru_cache(maxsize=4)
def read(path: Path = PATH) -> dict[str, tuple[int, ...]]:
    """Seeds by simulation (`trees`) and by seeded bug (`trees:a_bug`)."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    words = (line.split() for line in lines if not line.startswith("#"))
    return {name: tuple(map(int, seeds)) for name, *seeds in words}


def write(found: Mapping[str, Iterable[int]], path: Path = PATH) -> None:
    """Replace the file."""
    lines = [" ".join([name, *map(str, found[name])]) for name in sorted(found)]
    path.write_text(_HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    read.cache_clear()


def seeds(simulation: str) -> tuple[int, ...]:
    """The seeds that the gate plays."""
    return read().get(simulation, ())


def catching(simulation: str, bug: str) -> tuple[int, ...]:
    """The seed that catches a seeded bug in the gate, if one is known."""
    return read().get(f"{simulation}:{bug}", ())


def parts(simulation: str, every: Iterable[int]) -> list[Any]:
    """Parameters of a test, each a few of all seeds: those of the gate, and marked `nightly` the
    rest."""
    kept = set(seeds(simulation))
    mine: list[int] = []
    others: list[int] = []
    for seed in every:
        (mine if seed in kept else others).append(seed)
    return [
        *(pytest.param(part, id=_id(part)) for part in _split(mine)),
        *(pytest.param(part, id=_id(part), marks=pytest.mark.nightly) for part in _split(others)),
    ]


def _split(found: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(found[at : at + _PART]) for at in range(0, len(found), _PART)]


def _id(part: Sequence[int]) -> str:
    return "-".join(map(str, part))
