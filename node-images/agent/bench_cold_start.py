"""Cold start of an agent node: from the start of the interpreter to the first model request.

Prints one JSON object. Run it with the interpreter of the image: python3 bench_cold_start.py [RUNS]
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

    asked: float = 0.0

    def do_POST(self) -> None:
        type(self).asked = time.monotonic()
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


def once(folder: Path) -> float:
    """Milliseconds of one start."""
    environment = {
        **os.environ,
        "WAYPOST_REQUEST": str(folder / "request.json"),
        "WAYPOST_OUTPUT": str(folder / "termination-log"),
    }
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "waypost_node"], env=environment, check=True)
    record = json.loads((folder / "termination-log").read_text())
    assert record["output"] == "done", record
    return (Provider.asked - began) * 1000


def main() -> None:
    """Measure and print the median."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    server = HTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = request(f"http://127.0.0.1:{server.server_address[1]}")
        (folder / "request.json").write_text(json.dumps(document))
        figures = sorted(once(folder) for _ in range(runs))
    print(
        json.dumps(
            {
                "name": "agent_cold_start",
                "value": round(statistics.median(figures)),
                "unit": "ms",
                "min": round(figures[0]),
                "max": round(figures[-1]),
                "bar": BAR_MS,
            }
        )
    )


if __name__ == "__main__":
    main()
