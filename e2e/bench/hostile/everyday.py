"""What people write on what they have: each everyday expression on data of up to 1 MiB, in one
operator. `python -m e2e.bench everyday` prints what each one cost; none may be refused.

The data are outputs of nodes, one node each, because a run may not have as much in its inputs.
"""

import asyncio
import os
import re
import threading
from typing import Any, Final

from e2e.bench.hostile.inputs import python
from e2e.bench.hostile.operator import operating
from e2e.bench.hostile.watchdog import peak, workers
from tests.unit.expressions.test_everyday import DATA, EVERYDAY
from tests.unit.expressions.test_many_elements import MANY, MANY_DATA

HELD_MS: Final = 100
GROWN_MIB: Final = 128
_OUTPUTS: Final[dict[str, Any]] = {**DATA["inputs"], **MANY_DATA["inputs"]}
_NAMES: Final = re.compile(r"\binputs\.(\??)(\w+)")


def main() -> int:
    """Measure; gives 1 if an expression is refused or something is over its bound."""
    rows = asyncio.run(_measured())
    over = [row for row in rows if row["over"]]
    for row in rows:
        cells = f"{row['seconds']:>6} s {row['heldMs']:>4} ms {row['grownMiB']:>4} MiB"
        print(f"{cells} worker {row['childMiB']:>4} MiB  {row['source'][:70]:<70} {row['over']}")
    print(f"everyday: {len(rows)} expressions, refused or over a bound: {len(over)}")
    return 1 if over else 0


async def _measured() -> list[dict[str, Any]]:
    rows = []
    first: dict[int, int] = {}
    async with operating(_OUTPUTS) as cost_of:
        for at, source in enumerate((*EVERYDAY, *MANY.values())):
            with _Workers(first) as seen:
                found = await cost_of(spec_of(source), f"everyday-{at}")
            row = {**found, "childMiB": round(seen.grown / 2**20), "source": source}
            rows.append({**row, "over": over_of(row)})
    return rows


def spec_of(source: str) -> dict[str, Any]:
    """A run that evaluates the expression on outputs of nodes. Its value stays inside it: many
    results are larger than the inputs of a node."""
    used = sorted({name for _, name in _NAMES.findall(source)} & _OUTPUTS.keys())
    moved = _NAMES.sub(_at, source)
    if "missing" in source:  # an object without the property
        moved = moved.replace("inputs", "nodes.labels.output")
        used.append("labels")
    reads = python("reads", inputs={"v": f"${{[{moved}].size()}}"})
    return {"nodes": [*map(python, dict.fromkeys(used)), reads]}


def _at(found: re.Match[str]) -> str:
    known = found[2] in _OUTPUTS
    return f"nodes.{found[2]}.output" if known else found[0]


def over_of(row: dict[str, Any]) -> str:
    """What is wrong with a row; "" for nothing."""
    if not row["end"].startswith("Succeeded"):
        return str(row["end"])
    held, most = row["heldMs"] > HELD_MS, max(row["grownMiB"], row["childMiB"]) > GROWN_MIB
    return "over its bound" if held or most else ""


class _Workers:
    """The most memory that a worker of this process takes beyond what it had when first seen.

    Args:
        first: What each worker had then.
    """

    def __init__(self, first: dict[int, int]) -> None:
        self._first = first

    def __enter__(self) -> "_Workers":
        self.grown = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            for pid in workers(os.getpid()):
                seen = peak(pid)
                self.grown = max(self.grown, seen - self._first.setdefault(pid, seen))
