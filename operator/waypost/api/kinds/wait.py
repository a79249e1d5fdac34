"""Kind `wait`: wait without a pod."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import Template


class WaitKind(Model):
    """Wait without a pod: for a duration or until a time."""

    duration: Annotated[str, StringConstraints(max_length=2056)] | None = Field(
        default=None,
        description="Duration of the wait, for example 90s or 1h30m. ${...} is evaluated, for "
        'example "${nodes.ask.output.retryAfter}s".',
    )
    until: Template | None = Field(
        default=None,
        description="RFC 3339 time at which the wait ends. ${...} is evaluated, for example "
        '"${inputs.notBefore}".',
    )


KIND: Final = NodeKind("wait", WaitKind, has_pod=False)
