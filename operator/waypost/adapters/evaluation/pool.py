"""Evaluates expressions and validates values in a child process with limits (child.py)."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from waypost.adapters.evaluation.child import Limits
from waypost.expressions import evaluation
from waypost.expressions.values import Failure
from waypost.protocol import schema, uploads, violation
from waypost.protocol.ijson import Json
from waypost.protocol.violation import Violation

_CHILD: Final = "waypost.adapters.evaluation.child"
_PATIENCE_SECONDS: Final = 60.0  # for one answer; processor time has a separate limit
_TRIES: Final = 2
_PAUSE_SECONDS: Final = 0.5  # between two starts of a child
# A worker has 128 MiB, and JSON may take six characters for one.
_LONGEST_ANSWER: Final = 1024 * 1024 * 1024
_LIMITS: Final = Limits()

log = logging.getLogger(__name__)


class _Broken(Exception):
    """The child gave no answer; the message says why."""


class ChildProcess:
    """An Evaluator, and a Checker of values and of bodies. Threads may share it; they take turns.

    A question that ends the child is asked once more, unless it took too long; then the outcome
    is Stopped. A child that cannot be started says nothing about the question: starting it is
    tried again for `patience_seconds`; then the question raises OSError. `started` counts child
    processes, `workers` the workers that answered. `sleep` waits for some seconds.
    """

    def __init__(
        self,
        limits: Limits = _LIMITS,
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._patience = patience_seconds
        self._sleep = sleep
        self._worker = 0
        self.workers = 0
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.started = 0

    def start(self) -> None:
        """Start the child before the first question."""
        with self._turn:
            self._running()

    def close(self) -> None:
        """Kill the child, also during a question, and start no other."""
        self._closed = True
        process = self._process
        if process is not None:
            _kill(process)
        with self._turn:
            self._end()

    def run(self, program: bytes, variables: Mapping[str, Json]) -> evaluation.Outcome:
        text = base64.b64encode(program).decode()
        match self._ask({"program": text, "variables": variables}):
            case {"value": value}:
                return evaluation.Value(value)
            case {"failure": message}:
                return Failure(message)
            case {"unfit": message, "path": path}:
                return evaluation.NotJson(message, path)
            case answer:
                return evaluation.Stopped(_why(answer))

    def violations(self, declared: Json, value: Json, limit: int) -> tuple[Violation, ...]:
        match self._ask({"schema": declared, "value": value, "limit": limit}):
            case {"violations": found}:
                return tuple(Violation(*one) for one in found)
            case {"unusable": message}:
                raise ValueError(message)
            case answer:
                expected = "a value that is checked within the limits"
                found = f"{violation.show(value)}: checking it was stopped: {_why(answer)}"
                return (Violation("$", expected, found),)

    def problem(self, declared: Json) -> str | None:
        match self._ask({"schema": declared}):
            case {"problem": None}:
                return None
            case {"problem": message}:
                return str(message)
            case answer:
                return f"reading it was stopped: {_why(answer)}"

    def upload(self, body: bytes, digest: str, declared: Json, above: int) -> uploads.Checked:
        answer = self._ask({"upload": digest, "schema": declared, "above": above}, body)
        match answer:
            case {"violations": found, "canonical": canonical}:
                violations = tuple(Violation(*one) for one in found)
                return uploads.Checked(canonical, violations)
            case {"fault": fault, "message": message}:
                raise uploads.Unusable(fault, message)
            case {"unusable": message}:
                raise ValueError(message)
            case {"silent": True}:  # of the machine, and not of the body
                text = f"the payload could not be checked: {_why(answer)}; retry later"
                raise uploads.Unusable("Busy", text)
        text = f"checking the payload was stopped: {_why(answer)}"
        raise uploads.Unusable("TooLarge", text)

    def _ask(self, question: Mapping[str, Any], body: bytes | None = None) -> Any:
        with self._turn:
            for attempt in range(1, _TRIES + 1):
                try:
                    answer = self._exchange(question, body)
                except _Broken as broken:
                    answer = {"stopped": str(broken), "again": True, "silent": True}
                if "again" not in answer:
                    break
                self._end()  # it ends by itself, but perhaps not yet
                log.warning("an evaluation was stopped (try %d): %s", attempt, _why(answer))
                if not answer["again"]:
                    break
        return answer

    def _exchange(self, question: Mapping[str, Any], body: bytes | None) -> Any:
        text = json.dumps(question).encode()
        process = self._soon_running()
        assert process.stdin is not None, "made with a pipe"
        assert process.stdout is not None, "made with a pipe"
        until = time.monotonic() + self._patience
        try:
            for part in (text,) if body is None else (text, body):
                _send(process.stdin.fileno(), len(part).to_bytes(8, "big"), until)
                _send(process.stdin.fileno(), part, until)
            answer = json.loads(_received(process.stdout.fileno(), until))
            if body is not None and isinstance(answer, dict) and "follows" in answer:
                follows = answer["follows"]
                sent = _received(process.stdout.fileno(), until) if follows else body
                answer["canonical"] = sent
        except OSError as error:
            raise _Broken(f"it is gone ({error.strerror})") from error
        except ValueError as error:  # a library wrote between the answers
            raise _Broken("its answer cannot be read") from error
        if not isinstance(answer, dict):
            raise _Broken("its answer cannot be read")
        if answer.get("worker", self._worker) != self._worker:
            self._worker = answer["worker"]
            self.workers += 1
        return answer

    def _soon_running(self) -> subprocess.Popen[bytes]:
        """The child. It may take a while until there is memory or a process id for another."""
        for pause in range(int(self._patience / _PAUSE_SECONDS)):
            try:
                return self._running()
            except OSError as error:
                if pause == 0:
                    log.warning("no process could be started (%s); trying again", error.strerror)
            self._sleep(_PAUSE_SECONDS)
        return self._running()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise _Broken("it was closed")
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD, json.dumps(asdict(self._limits))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # an abort of a library prints users' data
                bufsize=0,
                start_new_session=True,  # so that it can be ended with its workers
                env={key: os.environ[key] for key in _NEEDED if key in os.environ},
            )
            self.started += 1
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


# No credentials, no addresses: the child needs none.
_NEEDED: Final = (
    *("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
    *("LD_LIBRARY_PATH", "LANG"),
)


def use(child: ChildProcess | None) -> None:
    """Evaluate and validate in `child` from now on, or in this process if it is None."""
    evaluation.use(child)
    schema.use(child)
    uploads.use(child)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and its workers, which share its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _why(answer: Any) -> str:
    return str(answer.get("stopped", "no answer that can be read"))


def _send(descriptor: int, data: bytes, until: float) -> None:
    view = memoryview(data)
    os.set_blocking(descriptor, False)
    while view:
        _wait(until, writing=[descriptor])
        view = view[os.write(descriptor, view[: 1 << 16]) :]


def _received(descriptor: int, until: float) -> bytes:
    size = int.from_bytes(_exactly(descriptor, 8, until), "big")
    if size > _LONGEST_ANSWER:
        raise _Broken("its answer cannot be read")
    return _exactly(descriptor, size, until)


def _exactly(descriptor: int, size: int, until: float) -> bytes:
    parts: list[bytes] = []
    while size:
        _wait(until, reading=[descriptor])
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise _Broken("it ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wait(
    until: float, *, reading: list[int] | None = None, writing: list[int] | None = None
) -> None:
    left = until - time.monotonic()
    ready = select.select(reading or [], writing or [], [], max(left, 0.0))
    if not any(ready):
        raise _Broken("it does not answer")
