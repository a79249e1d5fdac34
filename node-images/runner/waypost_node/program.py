"""The node's program, start to end: from a request to the record of what came of it."""

import contextlib
import sys

from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, TooLarge, encode
from waypost.protocol.request import Request

from waypost_node import calling
from waypost_node.supervisor import Verdict

_TAIL_LINES = 12


class _Unfit(Exception):
    """The program's own result or inputs are refused, for `reason`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def perform(request: Request, attempt: Attempt) -> Verdict:
    """Run the request's source and judge its result; whatever it does, there is a record."""
    filename = f"{request.path}.py"
    try:
        verdict = Verdict(
            encode(CommitRecord(attempt, "Succeeded", _result(request, filename))), True
        )
    except _Unfit as error:
        verdict = _failed(attempt, error.reason, str(error))
    except TooLarge as error:
        verdict = _failed(attempt, Reason.OUTPUT_TOO_LARGE, str(error))
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the node's
        tail = _tail(filename, error)
        verdict = _failed(attempt, Reason.NODE_ERROR, _headline(error), tail)
    _flush()
    return verdict


def _failed(attempt: Attempt, reason: Reason, message: str, tail: str | None = None) -> Verdict:
    return Verdict(encode(CommitRecord(attempt, "Failed", None, reason, message, tail)), False)


def _result(request: Request, filename: str) -> ijson.Json:
    source = (request.python.source if request.python else None) or ""
    tree = calling.parse(source, filename=filename)
    try:
        calling.check_signature(tree, request.inputs)
    except calling.BadSignature as error:
        raise _Unfit(Reason.INPUT_INVALID, str(error)) from None
    run = calling.load(tree, source, filename=filename)
    result = calling.jsonable(calling.call(run, request.inputs))
    try:
        output = ijson.check(result)
    except ijson.IJsonError as error:
        raise _Unfit(Reason.OUTPUT_INVALID, str(error)) from None
    if request.output_schema is not None:
        from waypost.protocol import schema  # not before user code: it costs the cold start 30 ms

        violations = schema.validate(request.output_schema, output)
        if violations:
            raise _Unfit(Reason.OUTPUT_INVALID, "; ".join(map(str, violations)))
    return output


def _headline(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"called exit({error.code!r}); return the result from run instead"
    if isinstance(error, calling.NoRun):
        return str(error)
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception of the node's that cannot say what it is
        text = "(its text cannot be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _tail(filename: str, error: BaseException) -> str:
    """The end of the traceback, from the first line of user code on; all of it to stderr."""
    import traceback

    own = error.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename != filename:
        own = own.tb_next
    text = "".join(traceback.format_exception(type(error), error, own))
    with contextlib.suppress(OSError, ValueError):  # closed by the program; the record still tells
        print(text, end="", file=sys.stderr)
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed or replaced
            stream.flush()
