"""The model loop of agent nodes, run in their pods by the runner."""

from waypost.protocol.request import Request
from waypost.protocol.work import WorkResult


def perform(request: Request, *, deadline: float) -> WorkResult:
    """Do the work of an agent node. Raises waypost.protocol.work.WorkFailed.

    `deadline`: the time.monotonic() at which the attempt's time is over.
    """
    # Not before it is called: the probe of a tool server needs none of it.
    from waypost_agent import node

    return node.perform(request, deadline=deadline)
