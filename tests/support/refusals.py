"""An API server that refuses or does not answer requests of an operator, and nodes that say so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from waypost.ports.cluster import ClusterError, Kind, Obj, Rejected, Unavailable

from tests.support.harness import Call, Operator, World

FORBIDDEN: Final = Rejected(
    'noderecords.waypost.dev "r" is forbidden: cannot get resource', code=403
)


class Refusal:
    """Requests that fail while `on`, once the operator is ready: with `error`, or after ten seconds
    without an answer if that is None. `count` says how many did."""

    def __init__(
        self, operator: Operator, error: ClusterError | None, *kinds: Kind, verb: str = "create"
    ) -> None:
        self.on, self.count = True, 0

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if not (self.on and operator.ready) or call.kind not in kinds or call.verb != verb:
                return await send()
            self.count += 1
            if error is None:
                await asyncio.sleep(10)
                raise Unavailable("the request timed out")
            raise error

        operator.line.intercept = intercept


async def says_unread(world: World, path: str, *, within: float = 60) -> Obj:
    """A node, once it says that it cannot read what it needs."""
    await world.until(
        lambda: world.node(path).get("reason") == "ReadRejected", "it says why", within=within
    )
    return world.node(path)
