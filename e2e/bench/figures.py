"""One figure, and what is done with many: percentiles, the table, the file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`baseline` is what it is compared with in the same run, `bar` what the design asks for."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    bar: float | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def spread(name: str, seconds: Sequence[float], *, bar: float | None) -> list[Figure]:
    """p50 and p99 of durations; nothing when there are none."""
    if not seconds:
        return []
    return [
        Figure(f"{name}_p50", round(percentile(seconds, 0.5), 3), "s"),
        Figure(f"{name}_p99", round(percentile(seconds, 0.99), 3), "s", bar=bar),
    ]


def write(figures: Sequence[Figure], path: Path) -> None:
    """The file of the benchmarks: a JSON list of figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def add(figures: Sequence[Figure], path: Path) -> None:
    """Put figures into the file, beside those with other names that are in it."""
    known = json.loads(path.read_text()) if path.exists() else []
    names = {figure.name for figure in figures}
    kept = [Figure(**one) for one in known if one["name"] not in names]
    write([*kept, *figures], path)


def line(figure: Figure) -> str:
    """One row for people."""
    compared = f"  baseline {figure.baseline:g}" if figure.baseline is not None else ""
    asked = f"  bar {figure.bar:g}" if figure.bar is not None else ""
    return f"  {figure.name:<32} {figure.value:>10g} {figure.unit:<8}{compared}{asked}"
