"""What benchmarks ask of the processes of Waypost that they start, and their own client."""

import time
from pathlib import Path
from subprocess import Popen
from typing import Final

import httpx2
from waypost.ports.telemetry import Requests

_LOOK: Final = 0.3  # seconds between two looks


def wait_until_ready(process: Popen[bytes], port: int, *, within: float) -> None:
    """Wait until a process answers its readiness probe.

    Args:
        process: The process.
        port: Its port on this machine.
        within: Seconds for that.

    Raises:
        TimeoutError: It has ended, or is not ready in time.
    """
    end = time.monotonic() + within
    while True:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        if time.monotonic() > end or process.poll() is not None:
            raise TimeoutError(f"the process on port {port} is not ready")
        time.sleep(_LOOK)


def memory_bytes(process: Popen[bytes], field: str = "VmRSS") -> int:
    """A size in /proc/PID/status: VmRSS is what is resident now, VmHWM the most since the start."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (found,) = [one for one in status.splitlines() if one.startswith(f"{field}:")]
    return int(found.split()[1]) * 1024


class Uncounted(Requests):
    """Requests of a benchmark are not counted."""

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        return None
