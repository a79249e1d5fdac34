"""The program of python nodes: one call of one function."""

from waypost.protocol.reasons import Reason
from waypost.protocol.request import PythonWork, Request
from waypost.protocol.work import WorkFailed, WorkResult

from waypost_node import calling


def perform(request: Request) -> WorkResult:
    """Call the function with the node's inputs. Raises WorkFailed when it cannot be called, and
    what user code raises."""
    try:
        return WorkResult(_value(request, request.python or PythonWork(source="")))
    except calling.BadSignature as error:
        raise WorkFailed(Reason.INPUT_INVALID, str(error)) from None
    except calling.NoFunction as error:
        raise WorkFailed(Reason.NODE_ERROR, str(error)) from None


def _value(request: Request, work: PythonWork) -> object:
    if work.function is not None:
        function = calling.find(work.function)
        name = work.function.partition(":")[2]
        calling.check_function(function, name, request.inputs)
    else:
        filename = f"{request.path}.py"
        tree = calling.parse(work.source or "", filename=filename)
        calling.check_signature(tree, request.inputs)
        function = calling.load(tree, work.source or "", filename=filename)
    return calling.jsonable(calling.call(function, request.inputs))
