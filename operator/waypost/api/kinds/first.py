"""Kind `first`: the first of several nodes whose result is accepted."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Model
from waypost.api.kinds.kind import NodeKind

MAX_CANDIDATES = 20

# Without the pattern of a node's name, as in dependsOn: the compiler names an unknown one.
CandidateName = Annotated[str, StringConstraints(max_length=40)]


class FirstKind(Model):
    """Choose the first of several nodes whose result is accepted. No pod runs for the choice. The
    output is that of the chosen node."""

    of: list[CandidateName] = Field(
        min_length=2,
        max_length=MAX_CANDIDATES,
        description="Candidates, 2 to 20 other nodes. They are judged in the order in which their "
        "ends are recorded; of those recorded at the same time, in the order of this list. A "
        "candidate without onFailure has onFailure: Continue.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    accept: Annotated[str, StringConstraints(max_length=2056)] | None = Field(
        default=None,
        description='Condition for the choice, for example "${candidate.output.score >= 0.8}". It '
        "is evaluated for each candidate that succeeded, and must be true or false. Default: "
        "every candidate that succeeds is accepted.",
    )
    others: Literal["Cancel", "Finish"] | None = Field(
        default=None,
        description="What happens to the other candidates after the choice. Cancel (default): "
        "they are stopped and end Cancelled with NotChosen. Finish: they continue.",
    )


KIND: Final = NodeKind("first", FirstKind, has_pod=False)
