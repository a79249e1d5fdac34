"""Finds the entries to decide about, and writes decisions."""

from collections.abc import Iterable, Sequence

from waypost.cli.connection.cluster import Session
from waypost.cli.connection.people import user_name
from waypost.cli.errors import AccessDenied, CommandError
from waypost.cli.memory.entries import Found, Wanted, read_entries, read_entry
from waypost.ports.cluster import Conflict, Kind, NotFound, Obj, PatchType, Rejected


async def find(
    session: Session, names: Sequence[str], wanted: Wanted, *, phases: Iterable[str]
) -> tuple[list[Found], str]:
    """The entries to decide about, the newest first, and the name of the user.

    Args:
        session: Where to look.
        names: Entries that are named; they may have any phase.
        wanted: Without names, which entries.
        phases: Without names, those with one of these phases.

    Raises:
        CommandError: An entry does not exist, nothing can be decided about it, or the API server
            does not say who the user is.
    """
    user = await user_name(session)
    if not user:
        raise CommandError("the API server does not say who you are, and a decision needs a name")
    if not names:
        listed, _ = await read_entries(session, wanted)
        open_ = [one for one in listed if one.standing.phase in phases]
        return [one for one in open_ if one.entry.spec.type != "Forgotten"], user
    found = [await read_entry(session, name) for name in dict.fromkeys(names)]
    for one in found:
        if one.entry.spec.type == "Forgotten":
            raise CommandError(f"{one.name} is of type Forgotten; there is nothing to decide")
    return found, user


async def decide(session: Session, one: Found, decision: str, *, user: str, note: str) -> None:
    """Write a decision about the entry that was shown. Raises CommandError."""
    spec: Obj = {"decision": decision, "decidedBy": user, "note": note or None}
    try:
        await session.cluster.patch(
            Kind.MEMORY_ENTRY,
            namespace=one.namespace,
            name=one.name,
            # Another person may have decided since.
            body={"metadata": {"resourceVersion": one.entry.resource_version}, "spec": spec},
            patch_type=PatchType.MERGE,
        )
    except Conflict as error:
        raise CommandError(f"{one.name} has changed since it was shown; look again") from error
    except NotFound as error:
        raise CommandError(f"{one.name} was deleted since it was shown") from error
    except Rejected as error:
        if error.code == 403:
            role = "the chart's role waypost-memory-reviewer grants it"
            raise AccessDenied(f"refused: {error.message}; {role}") from error
        raise CommandError(f"refused: {error.message}") from error
