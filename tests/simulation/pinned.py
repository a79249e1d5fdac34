"""The seeds that are tests (the gate plays a part of them, `make nightly` all), and which seeded
bugs each of them catches.

`python -m tests.simulation choose` writes `seeds.txt`. A line is a seed, followed by the names of
the seeded bugs that it catches.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).with_name("seeds.txt")
_HEADER: Final = """\
# The pinned seeds, chosen by `python -m tests.simulation choose`; do not edit.
# After the seed: the seeded bugs that it catches.
"""


def read(path: Path = PATH) -> dict[int, tuple[str, ...]]:
    """The pinned seeds in ascending order, each with the names of the bugs that it catches."""
    if not path.exists():
        return {}
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {int(words[0]): tuple(words[1:]) for words in lines if words and words[0] != "#"}


def write(found: Mapping[int, Iterable[str]], path: Path = PATH) -> None:
    """Replace the file."""
    lines = [" ".join([str(seed), *sorted(found[seed])]) for seed in sorted(found)]
    path.write_text(_HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")


def catching(bug: str, path: Path = PATH) -> list[int]:
    """The pinned seeds that catch a seeded bug, as far as the file knows."""
    return [seed for seed, names in read(path).items() if bug in names]
