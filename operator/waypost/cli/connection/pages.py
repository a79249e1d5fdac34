"""Long lists: read page by page, so that only what is shown of an object stays in memory."""

from collections.abc import Callable
from typing import Final, TypeVar

from waypost.adapters.kube import PAGE_SIZE
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import CommandError
from waypost.ports.cluster import Kind, Obj, Rejected

T = TypeVar("T")
_STARTS: Final = 3


async def read_list(
    session: Session,
    kind: Kind,
    project: Callable[[Obj], T],
    *,
    everywhere: bool = False,
    labels: str = "",
    limit: int = 0,
    token: str = "",
) -> tuple[list[T], str]:
    """Read a list and keep what `project` makes of each object.

    Args:
        session: Where to read.
        kind: The objects' kind.
        project: What to keep of an object.
        everywhere: In all namespaces.
        labels: A label selector; "" for all.
        limit: At most so many objects; 0 for all of them.
        token: Where an earlier list with `limit` ended.

    Returns:
        What was kept, in the order of the API server, and the token of the next page or "".

    Raises:
        CommandError: The token has expired.
    """
    for _ in range(_STARTS):
        kept: list[T] = []
        at = token
        try:
            while True:
                size = min(limit - len(kept), PAGE_SIZE) if limit else PAGE_SIZE
                page = await session.cluster.page(
                    kind,
                    namespace=None if everywhere else session.namespace,
                    labels=labels,
                    limit=size,
                    token=at,
                )
                kept += [project(item) for item in page.items]
                at = page.token
                if not at or (limit and len(kept) >= limit):
                    return kept, at
        except Rejected as error:
            if error.code != 410:
                raise
            if token:
                text = "--continue: the list has changed too much since; start again without it"
                raise CommandError(text) from error
    raise CommandError("the list changes faster than it can be read; use --limit or a selector")
