"""Requests a new round in the name of the user, if it is still the round that was shown."""

from collections.abc import Sequence
from typing import Any, Final

from waypost.cli.connection import changes
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.people import user_name
from waypost.cli.errors import CommandError, Exit
from waypost.ports.cluster import Obj

_FIELDS: Final = frozenset({"round", "from", "skip", "latest", "refreshMemory"})
_WAIT: Final = 5.0


def asked(from_: Sequence[str], skip: Sequence[str], *, latest: bool, refresh_memory: bool) -> Obj:
    """`spec.rerun` without `round`, with the fields that say something."""
    request = {
        "from": list(from_),
        "skip": list(skip),
        "template": "Latest" if latest else None,
        "memory": "Refresh" if refresh_memory else None,
    }
    return {field: value for field, value in request.items() if value}


async def begin(session: Session, name: str, body: dict[str, Any]) -> str:
    """Request a round, and wait a moment until the operator has begun it.

    Args:
        session: The namespace of the run.
        name: The run.
        body: `round`, the number that was shown; `from` and `skip`, names of nodes; `latest`,
            whether the run takes the current version of its template; `refreshMemory`, whether it
            reads its memory again.

    Returns:
        A sentence on what the operator did.

    Raises:
        CommandError: The request is not valid, the run is in another round, or it was refused.
    """
    if unknown := sorted(body.keys() - _FIELDS):
        raise CommandError(f"unknown field {unknown[0]!r:.40}", code=Exit.USAGE)
    shown = body.get("round")
    if not isinstance(shown, int) or isinstance(shown, bool):
        raise CommandError(f"round: expected a number, found {shown!r:.40}", code=Exit.USAGE)
    request = asked(
        _names(body, "from"),
        _names(body, "skip"),
        latest=_switch(body, "latest"),
        refresh_memory=_switch(body, "refreshMemory"),
    )
    if user := await user_name(session):
        request["requestedBy"] = user
    number = await changes.begin_round(session, name, request, None, expected=shown)
    started = await changes.verdict(session, name, number, seconds=_WAIT)
    if started is None:
        return f"round {number} is requested, but no operator has started it yet"
    return f"round {number} of {name} has started"


def _switch(body: dict[str, Any], field: str) -> bool:
    found = body.get(field, False)
    if not isinstance(found, bool):
        raise CommandError(f"{field}: expected true or false", code=Exit.USAGE)
    return found


def _names(body: dict[str, Any], field: str) -> list[str]:
    found = body.get(field, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise CommandError(f"{field}: expected a list of nodes", code=Exit.USAGE)
    return found
