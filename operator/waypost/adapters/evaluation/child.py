"""The child process that evaluates users' expressions, started with `python -m`.

It loads the libraries once and forks workers, one at a time. A worker answers some hundred
questions within its limits and exits, which frees the memory that the libraries keep; the next
fork takes about a millisecond. If a worker fails, this process reports why and exits too, because
the worker may have read part of the next question. Questions and answers are JSON on the standard
streams, each preceded by its length in eight bytes. A body that was uploaded follows its question
as it is, and its canonical form the answer, preceded by their lengths.
"""

import base64
import contextlib
import json
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from waypost.expressions import cel, evaluation
from waypost.expressions.values import Failure
from waypost.protocol import schema, uploads

_GROWN: Final = 48 * 1024 * 1024  # beyond this a worker ends early
_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = resource.getpagesize()

# Why a worker ended, as its exit code.
_DONE, _NO_MORE_QUESTIONS = 0, 3


@dataclass(frozen=True)
class Limits:
    """Limits of a worker: memory in bytes on top of what it starts with, CPU seconds for one
    question, and the number of questions."""

    memory: int = 128 * 1024 * 1024
    cpu_seconds: float = 3.0
    questions: int = 500


def main(limits: Limits) -> int:
    """Fork workers until the input ends. Returns the exit code: 0, or 1 if a worker failed."""
    evaluation.InProcess().run(_warm_program(), {"inputs": {"x": 1}})
    schema.compiling_problem({"type": "object"})
    while True:
        worker = os.fork()
        if worker == 0:
            os._exit(_work(limits))
        _, status = os.waitpid(worker, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _NO_MORE_QUESTIONS:
            return 0
        if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != _DONE:
            again = not _took_too_long(status)
            _send(json.dumps({"stopped": _why(status, limits), "again": again}).encode())
            return 1


def _warm_program() -> bytes:
    checked = cel.check("[inputs.x].map(x, x)")
    assert isinstance(checked, bytes), "a constant of this program"
    return checked


def _took_too_long(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF


def _why(status: int, limits: Limits) -> str:
    if _took_too_long(status):
        return f"it took more than {limits.cpu_seconds:g} s of processor time"
    if os.WIFSIGNALED(status):
        # Without memory the library aborts or reads where nothing is, as it does of a defect.
        number = os.WTERMSIG(status)
        return f"{_too_much_memory(limits)}, or broke the library (signal {number})"
    return f"the process that evaluates it ended with exit code {os.WEXITSTATUS(status)}"


def _too_much_memory(limits: Limits) -> str:
    return f"it took more than {limits.memory >> 20} MiB of memory"


def _work(limits: Limits) -> int:
    limit = _pages(0) * _PAGE + limits.memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resident = _pages(1)
    for _ in range(limits.questions):
        question = _read()
        if question is None:
            return _NO_MORE_QUESTIONS
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
        try:
            answer, body = _answered(question)
        except MemoryError:
            question, body = None, None
            answer = json.dumps({"stopped": _too_much_memory(limits)}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(answer)
        if body is not None:
            _send(body)
        if (_pages(1) - resident) * _PAGE > _GROWN:
            break
    return _DONE


def _answered(text: bytes) -> tuple[bytes, bytes | None]:
    """The answer to a question, and the bytes that follow it, if any."""
    question, body = json.loads(text), None
    if "upload" in question:
        found, body = _uploaded(question, _read() or b"")
    else:
        found = _answer(question)
    return json.dumps({"worker": os.getpid(), **found}).encode(), body


def _uploaded(question: Any, body: bytes) -> tuple[Any, bytes | None]:
    """What a body is, and its canonical form if that is not the body itself."""
    try:
        found = uploads.check_here(body, question["upload"], question["schema"], question["above"])
    except uploads.Unusable as error:
        return {"fault": error.fault, "message": error.message}, None
    except ValueError as error:
        return {"unusable": str(error)}, None
    violations = [[one.path, one.expected, one.found] for one in found.violations]
    same = found.canonical == body
    answer = {"violations": violations, "follows": not same}
    return answer, None if same else found.canonical


def _answer(question: Any) -> Any:
    match question:
        case {"program": program, "variables": variables}:
            return _evaluated(base64.b64decode(program), variables)
        case {"schema": declared, "value": value, "limit": limit}:
            try:
                found = schema.validate_here(declared, value, limit=limit)
            except ValueError as error:
                return {"unusable": str(error)}
            return {"violations": [[one.path, one.expected, one.found] for one in found]}
        case {"schema": declared}:
            return {"problem": schema.compiling_problem(declared)}
    raise ValueError("not a question")


def _evaluated(program: bytes, variables: Any) -> Any:
    match evaluation.InProcess().run(program, variables):
        case evaluation.Value(json=value):
            return {"value": value}
        case Failure(message=message):
            return {"failure": message}
        case evaluation.NotJson(message=message, path=path):
            return {"unfit": message, "path": path}
    raise ValueError("not an outcome of this process")


def _pages(which: int) -> int:
    """Memory of this process in pages: address space (0) or resident (1)."""
    return int(_STATM.read_bytes().split()[which])


def _read() -> bytes | None:
    size = _exactly(8)
    return None if size is None else _exactly(int.from_bytes(size, "big"))


def _exactly(size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(answer: bytes) -> None:
    for part in (len(answer).to_bytes(8, "big"), answer):
        view = memoryview(part)
        while view:
            view = view[os.write(1, view) :]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent process ends first
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main(Limits(**json.loads(sys.argv[1]))))
