"""The model loop of agent nodes, run in their pods by the runner."""

from collections.abc import Callable

from waypost.protocol.request import Request
from waypost.protocol.work import WorkResult

# Is given what ends the attempt when SIGTERM comes, and None once it is over.
Stop = Callable[[Callable[[], None] | None], None]


def perform(request: Request, *, deadline: float, stop: Stop | None = None) -> WorkResult:
    """Do the work of an agent node. Raises waypost.protocol.work.WorkFailed.

    `deadline`: the time.monotonic() at which the attempt's time is over. Stopped by `stop` it fails
    with Disrupted, its usage and its trace.
    """
    # Not before it is called: the probe of a tool server needs none of it.
    from waypost_agent import loop

    return loop.perform(request, deadline=deadline, stop=stop or (lambda _: None))
