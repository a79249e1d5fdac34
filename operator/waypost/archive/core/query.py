"""What a list of archived runs is filtered by, and where a page ends."""

from dataclasses import dataclass, field
from typing import Final

MOST: Final = 500  # runs of a page


@dataclass(frozen=True, order=True)
class Cursor:
    """The last run of a page: its end in milliseconds since 1970, and its uid."""

    finished: int
    uid: str

    def __str__(self) -> str:
        return f"{self.finished}.{self.uid}"


@dataclass(frozen=True)
class Query:
    """Filters; a run must meet all. The newest end comes first.

    Attributes:
        namespace: Only runs of this namespace; "" for all.
        phases: Only runs in one of these phases; empty for all.
        template: Only runs of this template; "" for all.
        labels: Labels that the run has, with their values.
        text: What stands somewhere in its name, template, messages, inputs or outputs, in any case.
        since: Only runs that ended at this time or later, in milliseconds since 1970.
        until: Only runs that ended before.
        cost: Only runs that cost at least so many millionths of a dollar.
        limit: Length of the page, at most MOST.
        after: Where the page before ended.
    """

    namespace: str = ""
    phases: tuple[str, ...] = ()
    template: str = ""
    labels: tuple[tuple[str, str], ...] = field(default=())
    text: str = ""
    since: int | None = None
    until: int | None = None
    cost: int | None = None
    limit: int = 100
    after: Cursor | None = None


def cursor(token: str) -> Cursor:
    """The cursor of a token. Raises ValueError."""
    finished, _, uid = token.partition(".")
    if not finished.isdecimal() or len(finished) > 16 or not uid or len(uid) > 64:
        raise ValueError("continue: expected the value of an earlier page")
    return Cursor(int(finished), uid)
