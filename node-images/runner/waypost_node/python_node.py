"""Runs a python node: one call of one function."""

from waypost.protocol.reasons import Reason
from waypost.protocol.request import PythonWork, Request
from waypost.protocol.work import WorkFailed, WorkResult

from waypost_node import user_code


def perform(request: Request) -> WorkResult:
    """Call the node's function with its inputs.

    Returns:
        The output, not validated yet.

    Raises:
        WorkFailed: the function does not exist or does not accept the inputs.
        BaseException: whatever user code raises.
    """
    try:
        return WorkResult(_value(request, request.python or PythonWork(source="")))
    except user_code.BadSignature as error:
        raise WorkFailed(Reason.INPUT_INVALID, str(error)) from None
    except user_code.NoFunction as error:
        raise WorkFailed(Reason.NODE_ERROR, str(error)) from None


def _value(request: Request, work: PythonWork) -> object:
    if work.function is not None:
        function = user_code.find(work.function)
        name = work.function.partition(":")[2]
        user_code.check_function(function, name, request.inputs)
    else:
        filename = f"{request.path}.py"
        tree = user_code.parse(work.source or "", filename=filename)
        user_code.check_signature(tree, request.inputs)
        function = user_code.load(tree, work.source or "", filename=filename)
    return user_code.jsonable(user_code.call(function, request.inputs))
