"""Kind `wait`: wait without a pod."""

from typing import Final

from pydantic import Field

from waypost.api.base import Duration, Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import Template


class WaitKind(Model):
    """Wait without a pod: for a duration or until a time."""

    duration: Duration | None = Field(default=None, description="Duration of the wait.")
    until: Template | None = Field(
        default=None,
        description="RFC 3339 time at which the wait ends. ${...} is evaluated, for example "
        '"${inputs.notBefore}".',
    )


KIND: Final = NodeKind("wait", WaitKind, has_pod=False)
