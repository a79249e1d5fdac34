"""forEach: run a node once for each item of a list."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model

DEFAULT_MAX_PARALLEL: Final = 10
_PERCENT: Final = re.compile(r"(100|[1-9]?[0-9])%")
# A pattern would apply to a string only; the operator checks it.
_INT_OR_STRING: dict[str, Any] = {"x-kubernetes-int-or-string": True}


class ForEach(Model):
    """Run the node once for each item of a list. Its output is the list of their outputs."""

    items: Annotated[str, StringConstraints(min_length=1, max_length=2056)] = Field(
        description='The list: one expression, for example "${nodes.plan.output.sources}". At most '
        "1,000 items. It is evaluated once for each round. The other fields of the node can use "
        "${item} and ${index}, which counts from 0."
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Maximum number of items that run at the same time. parallelism of the run "
        "limits them too. Default 10.",
    )
    tolerate: int | Annotated[str, StringConstraints(max_length=4)] | None = Field(
        default=None,
        description="Number of items, or percentage such as 10%, that may fail. Their outputs are "
        "null. If more fail, no other item starts and the node fails with ItemsFailed. Default 0.",
        json_schema_extra=_INT_OR_STRING,
    )
    collect: Literal["All", "None"] | None = Field(
        default=None,
        description="All (default): the output is the list of the items' outputs. None: the output "
        "is {total, succeeded, failed}.",
    )

    def allowed_failures(self, total: int) -> int:
        """How many of `total` items may fail."""
        if isinstance(self.tolerate, str):
            return total * int(self.tolerate.removesuffix("%")) // 100
        return self.tolerate or 0

    @property
    def places(self) -> int:
        """How many items may run at the same time."""
        return self.max_parallel or DEFAULT_MAX_PARALLEL

    @property
    def tolerates_failures(self) -> bool:
        """Whether an output of an item may be null because the item failed."""
        return self.tolerate not in (None, 0, "0%")

    @property
    def keeps_outputs(self) -> bool:
        """Whether the output of the node has the outputs of its items."""
        return self.collect != "None"


def is_tolerance(value: int | str) -> bool:
    """Whether `value` is a valid `tolerate`: a count of at least 0, or a percentage to 100."""
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None
    return value >= 0
