"""Cold start of the runner: from the start of the interpreter to the first line of user code.

Prints one JSON object. Run it with the interpreter of the image: python3 bench_cold_start.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 21
BAR_MS = 150
SOURCE = "import time\ndef run(): return time.clock_gettime(time.CLOCK_MONOTONIC)\n"
REQUEST = {
    "v": 1,
    "run": {"name": "bench", "namespace": "default", "uid": "u"},
    "path": "bench",
    "kind": "python",
    "round": 1,
    "attempt": 1,
    "fingerprint": "f",
    "idempotencyKey": "k",
    "inputs": {},
    "outputSchema": {"type": "number"},
    "python": {"source": SOURCE},
}


def once(folder: Path) -> float:
    """Milliseconds of one start."""
    environment = {
        **os.environ,
        "WAYPOST_REQUEST": str(folder / "request.json"),
        "WAYPOST_OUTPUT": str(folder / "termination-log"),
    }
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    subprocess.run([sys.executable, "-m", "waypost_node"], env=environment, check=True)
    record = json.loads((folder / "termination-log").read_text())
    return float(record["output"] - began) * 1000


def main() -> None:
    """Measure and print the median."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "request.json").write_text(json.dumps(REQUEST))
        figures = sorted(once(folder) for _ in range(RUNS))
    print(
        json.dumps(
            {
                "name": "runner_cold_start",
                "value": round(statistics.median(figures), 1),
                "unit": "ms",
                "min": round(figures[0], 1),
                "max": round(figures[-1], 1),
                "bar": BAR_MS,
            }
        )
    )


if __name__ == "__main__":
    main()
