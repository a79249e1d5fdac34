"""Extra attempts of a node: how many, after which failures, and when."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from waypost.api.base import UNIQUE_ITEMS, Duration, Model


class Backoff(Model):
    """Delay before the next attempt: initial * factor^(n-1), at most max."""

    initial: Duration | None = Field(
        default=None, description="Delay before the second attempt. Default 1s."
    )
    factor: int | None = Field(
        default=None, ge=1, le=10, description="Multiplier for each further delay. Default 2."
    )
    max: Duration | None = Field(default=None, description="Maximum delay. Default 5m.")


# Failures of the node's own work. Failures of the cluster have separate counters and limits.
RetriedReason = Literal[
    "NodeError",
    "OutputInvalid",
    "OutputTooLarge",
    "ArtifactInvalid",
    "ArtifactTooLarge",
    "Timeout",
    "OutOfMemory",
    "OutOfDisk",
    "ResultLost",
    "ProviderError",
    "RateLimited",
    "Refused",
]


ExitCode = Annotated[int, Field(ge=1, le=255)]
_ExitCodes = Annotated[
    list[ExitCode],
    Field(min_length=1, max_length=64, json_schema_extra=UNIQUE_ITEMS),
]


class ExitCodes(Model):
    """Exit codes that are retried, or that are not. Exactly one of retry and fail."""

    retry: _ExitCodes | None = Field(
        default=None,
        description="Only these exit codes are retried, whatever reasons lists. After any other "
        "exit code the node fails at once. For example [75].",
    )
    fail: _ExitCodes | None = Field(
        default=None,
        description="After these exit codes the node fails at once. All others are retried if "
        "reasons allows NodeError. For example [2, 78].",
    )


class Retry(Model):
    """Extra attempts after a failure of the node's own work."""

    limit: int | None = Field(
        default=None,
        ge=0,
        le=20,
        description="Maximum number of extra attempts: 2 means at most 3 attempts. Default 0. "
        "Three things do not count: disruptions by the cluster (evictions, lost machines), pods "
        "that do not start, and providers that ask the node to wait.",
    )
    reasons: list[RetriedReason] | None = Field(
        default=None,
        min_length=1,
        max_length=len(get_args(RetriedReason)),
        description="Failures that are retried. After any other failure the node fails at once. "
        "Default: all of them. The list of a node replaces the list in defaults.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    exit_codes: ExitCodes | None = Field(
        default=None,
        description="Only for container nodes, and not with effect: once. Exit codes that are "
        "retried, or that are not. "
        "Default: reasons decides, where an exit code is a NodeError. exitCodes of a node replaces "
        "exitCodes in defaults.",
    )
    backoff: Backoff | None = Field(default=None, description="Delays between attempts.")
    never: bool | None = Field(
        default=None,
        description="Same as effect: once. No second attempt starts once the program may have "
        "started. Must not be combined with limit, reasons or exitCodes.",
    )
