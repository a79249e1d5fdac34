"""A program that serves on a port of this machine while a context lasts."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from e2e.cluster.errors import ClusterError

_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.1


@contextlib.contextmanager
def served(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    port: int | None,
    host: str = "127.0.0.1",
    within: float = 300.0,
) -> Iterator[None]:
    """Run the program until the context ends, with its output in `log`.

    Args:
        argv: The program and its arguments.
        log: Where its output goes.
        env: Its environment.
        port: The context begins when the program accepts connections here; None: at once.
        host: The address of that port.
        within: Seconds for that.

    Raises:
        ClusterError: It has ended, or does not serve in time.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=env
        )
    try:
        if port is not None and not _serves(process, host, port, within):
            found = log.read_text(errors="replace")[-2000:]
            raise ClusterError(f"start {Path(argv[0]).name}", found=found, do=f"read {log}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=_STOP_SECONDS)


def free_ports(number: int, *, host: str = "127.0.0.1") -> list[int]:
    """Ports that nothing listens on, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _serves(process: subprocess.Popen[bytes], host: str, port: int, within: float) -> bool:
    until = time.monotonic() + within
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return True
        time.sleep(_LOOK_SECONDS)
    return False
