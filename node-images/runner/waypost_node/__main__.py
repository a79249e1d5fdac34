"""The runner: PID 1 of a python node's pod.

Reads the request, calls run, checks the result against outputSchema, writes the commit record.
Exit code 0 means that a Succeeded record is durable; every failure has a record too.
"""

import os
import resource
import sys

from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request

from waypost_node import calling, watchdog
from waypost_node.request import load
from waypost_node.verdict import TooLarge, Verdict

# The termination file is not counted against the pod's storage limit (correctness B4).
LARGEST_FILE = 256 * 1024 * 1024
_TAIL_LINES = 12


def main() -> int:
    """Run the node; gives the exit code."""
    try:
        request = load()
    except (OSError, ValueError) as error:
        print(f"waypost: the request cannot be read: {error}", file=sys.stderr)
        return 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    verdict = Verdict(request)
    watchdog.start(verdict, timeout=request.timeout_seconds)
    return _run(request, verdict)


def _run(request: Request, verdict: Verdict) -> int:
    try:
        run = calling.load(request.python_source or "", path=request.path)
        calling.check_signature(run, request.inputs)
        result = calling.call(run, request.inputs)
    except calling.BadSignature as error:
        verdict.fail(Reason.INPUT_INVALID, str(error))
        return 1
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the node's
        verdict.fail(Reason.NODE_ERROR, _headline(error), _tail(request, error))
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return _commit(request, verdict, calling.jsonable(result))


def _commit(request: Request, verdict: Verdict, result: object) -> int:
    try:
        output = ijson.check(result)
    except ijson.IJsonError as error:
        verdict.fail(Reason.OUTPUT_INVALID, str(error))
        return 1
    if request.output_schema is not None:
        from waypost.protocol import schema

        violations = schema.validate(request.output_schema, output)
        if violations:
            verdict.fail(Reason.OUTPUT_INVALID, "; ".join(str(v) for v in violations))
            return 1
    try:
        verdict.succeed(output)
    except TooLarge as error:
        verdict.fail(Reason.OUTPUT_TOO_LARGE, str(error))
        return 1
    return 0


def _headline(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"called exit({error.code!r}); return the result from run instead"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _tail(request: Request, error: BaseException) -> str:
    """The end of the traceback, from the first line of user code on."""
    import linecache
    import traceback

    name = f"{request.path}.py"
    lines = (request.python_source or "").splitlines(keepends=True)
    linecache.cache[name] = (len(lines), None, lines, name)
    frames = traceback.extract_tb(error.__traceback__)
    own = next((i for i, frame in enumerate(frames) if frame.filename == name), len(frames))
    text = traceback.format_list(frames[own:]) + traceback.format_exception_only(error)
    shown = "".join(text).splitlines()[-_TAIL_LINES:]
    print("\n".join(shown), file=sys.stderr, flush=True)
    return "\n".join(shown)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that user code left behind must not keep a finished attempt alive.
    os._exit(code)
