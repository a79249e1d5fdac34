"""Cold starts of the runner and of agents: `python -m e2e.bench coldstart`.

The entry points of the images start in their own files and environment, as root of this machine and
without a cluster. Processor time and time by the clock are taken at the first line of a python
node, and at the first request that an agent makes to a scripted model server. `--archive FILE`
names images in archives (`docker save`), which are then measured in turns with those of this tree.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from e2e.bench.coldstart.rootfs import USER, Image, of_this_tree, unpacked
from e2e.bench.coldstart.servers import Server, serving
from e2e.bench.figures import Figure, add, line
from e2e.cluster.settings import read_settings

ROUNDS: Final = 5
BARS: Final[Mapping[str, tuple[float | None, float | None]]] = {  # of the clock, of CPU, in ms
    "python": (100, None),
    "OpenAI": (None, 700),
    "Anthropic": (None, 700),
    "Google": (None, 700),
    "OpenAI, a tool server": (None, None),
}
# The clock of the processor time of another process: see clock_getcpuclockid(3).
_SOURCE: Final = """import os, time
def run():
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    return [now, time.process_time() + time.clock_gettime((~os.getppid() << 3) | 2)]
"""
_UNCOMPILED: Final = """import os, sys
import waypost_node.__main__
if sys.argv[1] == "agent":
    import openai, anthropic, google.genai, mcp, waypost_agent.loop
files = [getattr(each, "__cached__", None) for each in list(sys.modules.values())]
sys.exit(min(sum(not os.path.exists(file) for file in files if file), 99))
"""


class Start(NamedTuple):
    """Milliseconds from the start of the process, by the clock and of processor time."""

    wall: float
    cpu: float


def once(image: Image, case: str, server: Server) -> Start:
    """One start of an image."""
    folder = image.root / "tmp" / "bench"
    folder.mkdir(exist_ok=True)
    os.chown(folder, USER, USER)
    (folder / "request.json").write_text(json.dumps(_request(case, server.url)))
    record = folder / "record"
    record.unlink(missing_ok=True)
    server.forget()
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    process = image.start(
        WAYPOST_REQUEST="/tmp/bench/request.json", WAYPOST_OUTPUT="/tmp/bench/record"
    )
    server.noted = lambda: _cpu_seconds(process.pid)
    process.wait()
    if case == "python":
        at, cpu = json.loads(record.read_text())["output"]
    else:
        assert server.first is not None, record.read_text()
        at, cpu = server.first
    return Start((at - began) * 1000, cpu * 1000)


def _request(case: str, url: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "v": 1,
        "run": {"name": "bench", "namespace": "default", "uid": "u"},
        "path": "bench",
        "kind": "python",
        "round": 1,
        "attempt": 1,
        "fingerprint": "f",
        "idempotencyKey": "k",
        "inputs": {},
    }
    if case == "python":
        schema = {"type": "array", "items": {"type": "number"}}
        return {**request, "outputSchema": schema, "python": {"source": _SOURCE}}
    type_, _, tools = case.partition(", ")
    base = f"{url}/v1" if type_ == "OpenAI" else url
    model = {"type": type_, "name": "bench", "baseUrl": base, "settings": {}}
    agent: dict[str, Any] = {"model": model, "prompt": "go", "limits": {"requests": 5}, "reasks": 0}
    if tools:
        agent["tools"] = [{"server": "bench", "url": f"{url}/mcp", "allow": ["look"]}]
    return {**request, "kind": "agent", "agent": agent}


def _cpu_seconds(runner: int) -> float:
    """What the runner and its child have used so far, all threads."""
    children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
    pids = [runner, *map(int, children)]
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def main(result: Path, archives: Sequence[Path] = ()) -> int:
    """Print tables, add the figures of this tree to `result`; 1 if one is over its bar."""
    settings = read_settings(os.environ)
    ours = of_this_tree(settings, ("runner", "agent"))
    with tempfile.TemporaryDirectory(dir=settings.cache) as name, serving() as server:
        found = {
            path: unpacked(path, Path(name, str(number)))
            for number, path in enumerate([*archives, *ours.values()])
        }
        for path, image in found.items():
            kind = _kind(path)
            missing = image.start(["python3", "-c", _UNCOMPILED, kind]).wait()
            whole, own = image.whole_bytes / 1e6, image.own_bytes / 1e6
            size = f"{whole:.1f} MB, {own:.1f} MB of it on top of the base image"
            print(f"{path.name}: {size}; {missing} modules without bytecode", flush=True)
        taken: dict[tuple[str, Path], list[Start]] = {}
        for _ in range(ROUNDS):
            for case in BARS:
                for path, image in found.items():
                    if (case == "python") == (_kind(path) == "runner"):
                        taken.setdefault((case, path), []).append(once(image, case, server))
    figures = [
        figure
        for (case, path), starts in taken.items()
        for figure in _shown(case, path, starts)
        if path in ours.values()
    ]
    add(figures, result)
    return int(any(one.bar is not None and one.value > one.bar for one in figures))


def _kind(path: Path) -> str:
    return "runner" if path.name.startswith("runner") else "agent"


def _shown(case: str, path: Path, starts: Sequence[Start]) -> list[Figure]:
    """Print the row of an image; its figures."""
    wall, cpu = ([start[column] for start in starts] for column in (0, 1))
    name = f"cold_start_{case.lower().replace(', ', '_').replace(' ', '_')}"
    figures = [
        Figure(f"{name}_{what}", round(statistics.median(values), 1), "ms", bar=bar)
        for what, values, bar in zip(("wall", "cpu"), (wall, cpu), BARS[case], strict=True)
    ]
    load = os.getloadavg()[0]
    print(f"{case}, {path.name} (least {min(wall):.0f}, {min(cpu):.0f} ms; load {load:.1f}):")
    print("\n".join(line(figure) for figure in figures), flush=True)
    return figures
