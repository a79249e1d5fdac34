"""Executes a node: from its request to its commit record."""

import contextlib
import errno
import math
import sys
from collections.abc import Callable
from typing import Final

from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.request import Request
from waypost.protocol.work import Trace, WorkFailed, WorkParked, WorkResult

from waypost_node import modules, python_node, result_store
from waypost_node.artifacts.store import keep_artifacts
from waypost_node.request import complete
from waypost_node.supervisor import Verdict

_TAIL_LINES: Final = 12
_NO_SPACE: Final = frozenset({errno.EFBIG, errno.ENOSPC, errno.EDQUOT})
_ADVICE: Final = "the storage limit of the pod is reached: raise resources.limits.ephemeral-storage"
# Frames before the first one of user code: the runner's, and the library code that calls it.
_NOT_USERS: Final = sys.stdlib_module_names | modules.OWN - {"node"}


def perform(
    request: Request,
    attempt: Attempt,
    *,
    deadline: float | None,
    work_is_over: Callable[[], None],
) -> Verdict:
    """Execute the node, validate its result and store it. Never raises.

    Args:
        request: the request of this pod.
        attempt: the attempt whose record this is.
        deadline: the time.monotonic() at which the attempt ends; None: no limit.
        work_is_over: called when only storing the result remains; may be called twice.

    Returns:
        The encoded record, and whether the node succeeded.
    """
    ends = math.inf if deadline is None else deadline
    record, trace = _outcome(request, attempt, ends, work_is_over)
    _flush()
    work_is_over()
    record = result_store.keep_trace(record, trace, gateway=request.gateway, deadline=ends)
    return Verdict(encode(record), record.outcome != "Failed")


def _outcome(
    request: Request, attempt: Attempt, deadline: float, work_is_over: Callable[[], None]
) -> tuple[CommitRecord, Trace | None]:
    try:
        result = _worked(request, deadline)
        work_is_over()
        record = CommitRecord(
            attempt, "Succeeded", result.output, usage=result.usage, carried=result.carried
        )
        return _kept(record, request, result, deadline), result.trace
    except WorkFailed as failed:
        return _failed(attempt, failed), failed.trace
    except WorkParked as parked:
        work_is_over()
        return _parked(attempt, parked, request, deadline), parked.trace
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the node's
        reason, message = _judged(error)
        return _failed(attempt, WorkFailed(reason, message, tail=_tail(error))), None


def _kept(
    record: CommitRecord, request: Request, result: WorkResult, deadline: float
) -> CommitRecord:
    try:
        record = keep_artifacts(record, request, deadline=deadline)
        return result_store.keep_output(record, gateway=request.gateway, deadline=deadline)
    except result_store.Unkept as error:
        raise _unkept(error.reason, str(error), result) from None


def _parked(
    attempt: Attempt, parked: WorkParked, request: Request, deadline: float
) -> CommitRecord:
    record = CommitRecord(attempt, "Parked", usage=parked.usage, carried=parked.carried)
    try:
        return result_store.keep_calls(
            record, parked.calls, gateway=request.gateway, deadline=deadline
        )
    except result_store.Unkept as error:
        failed = WorkFailed(error.reason, str(error), usage=parked.usage, carried=parked.carried)
        return _failed(attempt, failed)


def _failed(attempt: Attempt, failed: WorkFailed) -> CommitRecord:
    return CommitRecord(
        attempt,
        "Failed",
        reason=failed.reason,
        message=failed.message,
        tail=failed.tail,
        usage=failed.usage,
        carried=failed.carried,
        retry_after_seconds=failed.retry_after,
    )


def _unkept(reason: Reason, message: str, result: WorkResult) -> WorkFailed:
    """The failure of a node whose work is done but whose output cannot be used."""
    return WorkFailed(
        reason, message, usage=result.usage, trace=result.trace, carried=result.carried
    )


def _worked(request: Request, deadline: float) -> WorkResult:
    """The validated result. Raises WorkFailed, or whatever user code raises."""
    if request.stored_inputs is not None:
        request = _with_inputs(request, deadline)
    if request.modules:
        try:
            modules.provide(request.modules)
        except modules.BadName as error:
            raise WorkFailed(Reason.NODE_ERROR, str(error)) from None
    result = _by_kind(request, deadline)
    problem = _unfit(request, result.output) or _remembered_secret(request, result.output)
    if problem is not None:
        raise _unkept(Reason.OUTPUT_INVALID, problem, result)
    return result


def _with_inputs(request: Request, deadline: float) -> Request:
    from waypost_node.gateway import GatewayError

    try:
        return complete(request, deadline=deadline)
    except GatewayError as error:
        # Nothing has run yet, and the node is not at fault.
        raise WorkFailed(Reason.DISRUPTED, str(error)) from None


def _by_kind(request: Request, deadline: float) -> WorkResult:
    if request.kind == "http":
        from waypost_node.http import node

        return node.perform(request, deadline=deadline)
    if request.kind == "agent":
        return _agent(request, deadline)
    return python_node.perform(request)


def _agent(request: Request, deadline: float) -> WorkResult:
    import gc
    import importlib

    from waypost_node.sigterm import Stop

    stop = Stop()
    # Until the agent's loop starts, which enables it again: imports create no garbage, and
    # searching them for it would take a sixth of the start.
    gc.disable()
    try:
        # By name: only the agent image has it, and this package does not depend on it.
        agent = importlib.import_module("waypost_agent")
    except ModuleNotFoundError as error:
        if error.name != "waypost_agent":
            raise
        text = "the image does not contain waypost_agent; build it FROM Waypost's agent image"
        raise WorkFailed(Reason.NODE_ERROR, text) from None
    result: WorkResult = agent.perform(request, deadline=deadline, stop=stop.ends)
    return result


def _unfit(request: Request, output: object) -> str | None:
    """Why the output is invalid; None if it is valid."""
    try:
        checked = ijson.check(output)
    except ijson.IJsonError as error:
        return str(error)
    if request.output_schema is None:
        return None
    from waypost.protocol import schema  # imported late: it takes 30 ms

    violations = schema.validate(request.output_schema, checked)
    return "; ".join(map(str, violations)) or None


def _remembered_secret(request: Request, output: Json) -> str | None:
    """Why the output cannot be remembered; None if it can, or is not."""
    if not request.secret_env and not request.secret_folders:
        return None
    from waypost_node.redaction import secret_in_output  # imported late: few nodes need it

    return secret_in_output(request, output)


def _judged(error: BaseException) -> tuple[Reason, str]:
    """Reason and message for what user code raised."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return Reason.OUT_OF_DISK, f"{_headline(error)}; {_ADVICE}"
    return Reason.NODE_ERROR, _headline(error)


def _headline(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the code called exit({error.code!r}); return the result from run instead"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - user code may define a broken __str__
        text = "(its message cannot be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _tail(error: BaseException) -> str:
    """The end of the traceback, starting in user code; prints all of it to stderr."""
    import traceback

    own = error.__traceback__
    while own is not None and _is_ours(own.tb_frame.f_globals.get("__name__")):
        own = own.tb_next
    text = "".join(traceback.format_exception(type(error), error, own))
    with contextlib.suppress(OSError, ValueError):  # closed by user code; the record has the end
        print(text, end="", file=sys.stderr)
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in _NOT_USERS


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed or replaced
            stream.flush()
