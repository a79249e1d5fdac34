"""Cold start of an agent node: from the start of the interpreter to the first model request.

Prints one JSON object: wall time, the CPU time in it, and how many of the modules that were loaded
have no bytecode (each is compiled again at every start). Run it with the interpreter of the image:
python3 bench_cold_start.py [RUNS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

RUNS = 11
BAR_MS = 1200


class Provider(BaseHTTPRequestHandler):
    """Notes when it is asked, and answers."""

    runner = 0  # its process id
    asked = cpu = 0.0

    def do_POST(self) -> None:
        type(self).asked = time.monotonic()
        type(self).cpu = cpu_seconds(self.runner)
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "done"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        head = {"id": "1", "object": "chat.completion", "created": 1, "model": "bench"}
        body = json.dumps({**head, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: one JSON object is printed."""


def request(url: str) -> dict[str, object]:
    """The request of an agent node without tools."""
    model = {"type": "OpenAI", "name": "bench", "baseUrl": f"{url}/v1", "settings": {}}
    return {
        "v": 1,
        "run": {"name": "bench", "namespace": "default", "uid": "u"},
        "path": "bench",
        "kind": "agent",
        "round": 1,
        "attempt": 1,
        "fingerprint": "f",
        "idempotencyKey": "k",
        "inputs": {},
        "agent": {"model": model, "prompt": "go", "limits": {"requests": 5}, "reasks": 0},
    }


def cpu_seconds(runner: int) -> float:
    """What the runner and its child have used up so far, all threads."""
    children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
    clocks = [
        clock.read_text().split()[0]
        for process in (runner, *children)
        for clock in Path(f"/proc/{process}/task").glob("*/schedstat")
    ]
    return sum(map(int, clocks)) / 1e9


def uncompiled() -> int:
    """How many modules of an agent's start have no bytecode."""
    program = """if True:
        import pathlib, sys, openai, waypost_agent.loop, waypost_node.__main__
        files = [getattr(each, "__cached__", None) for each in sys.modules.values()]
        print(sum(not pathlib.Path(file).exists() for file in files if file))"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return int(done.stdout)


def once(folder: Path) -> tuple[float, float]:
    """Milliseconds of one start, and of CPU in it."""
    environment = {
        **os.environ,
        "WAYPOST_REQUEST": str(folder / "request.json"),
        "WAYPOST_OUTPUT": str(folder / "termination-log"),
    }
    began = time.monotonic()
    runner = subprocess.Popen([sys.executable, "-m", "waypost_node"], env=environment)
    Provider.runner = runner.pid
    assert runner.wait() == 0
    record = json.loads((folder / "termination-log").read_text())
    assert record["output"] == "done", record
    return (Provider.asked - began) * 1000, Provider.cpu * 1000


def main() -> None:
    """Measure and print the median."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    server = HTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = request(f"http://127.0.0.1:{server.server_address[1]}")
        (folder / "request.json").write_text(json.dumps(document))
        starts = [once(folder) for _ in range(runs)]
    figures = sorted(wall for wall, _ in starts)
    print(
        json.dumps(
            {
                "name": "agent_cold_start",
                "value": round(statistics.median(figures)),
                "unit": "ms",
                "min": round(figures[0]),
                "max": round(figures[-1]),
                "bar": BAR_MS,
                "cpu": round(statistics.median(cpu for _, cpu in starts)),
                "uncompiled": uncompiled(),
            }
        )
    )


if __name__ == "__main__":
    main()
