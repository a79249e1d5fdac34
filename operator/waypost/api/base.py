"""Shared by all resource models: camelCase names, strict fields, durations, conditions."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
NODE_NAME_PATTERN = r"^[a-z]([a-z0-9_]{0,38}[a-z0-9])?$"
NODE_OR_ITEM_PATTERN = r"^[a-z]([a-z0-9_]{0,38}[a-z0-9])?(/(0|[1-9][0-9]{0,2}))?$"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
INPUT_KEY_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"

_SECONDS_PER_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_WAIT: Final = 99999 * 3600  # seconds: as far as one number of hours in a manifest goes
# A double has up to 17 digits after its point, and an exponent from 1e+06 on.
_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?"
_COMPUTED_DURATION: Final = re.compile(rf"(?:{_NUMBER}(?:h|ms|m|s)){{1,4}}", re.ASCII)
_COMPUTED_PART: Final = re.compile(rf"({_NUMBER})(ms|h|m|s)", re.ASCII)
_DAYS: Final = re.compile(r"[0-9](d|w|days?|weeks?)\b")

# Any JSON value; rendered in the CRD as x-kubernetes-preserve-unknown-fields.
JsonValue = Any
JsonObject = dict[str, Any]

Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN, max_length=24)]
NodeName = Annotated[str, StringConstraints(pattern=NODE_NAME_PATTERN, max_length=40)]
# A node, or an item of a map: `scan`, `scan/3`.
NodeOrItem = Annotated[str, StringConstraints(pattern=NODE_OR_ITEM_PATTERN, max_length=44)]
ObjectName = Annotated[
    str, StringConstraints(pattern=OBJECT_NAME_PATTERN, min_length=1, max_length=253)
]
# An RFC 3339 time in UTC, as text; the engine parses it to compare it.
Timestamp = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]


# How the API server merges and compares a list (server-side apply, uniqueness, CEL rules).
UNIQUE_ITEMS: dict[str, Any] = {"x-kubernetes-list-type": "set"}


# An object that has one owner and is replaced as a whole. Set on the items of long lists: without
# it, managedFields records the owner of every leaf, 150 KiB for a run of 200 nodes.
ATOMIC: dict[str, Any] = {"x-kubernetes-map-type": "atomic"}


def keyed_by(field: str) -> dict[str, Any]:
    """A list whose items are identified by `field`: unique, in any order, merged one by one."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}


class Model(BaseModel):
    """Base of all wire models: frozen, camelCase aliases, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=False,
    )


class StatusModel(Model):
    """Base of status models: unknown fields ignored, so that a newer operator's
    status does not prevent an older one from reading it (rollback)."""

    model_config = ConfigDict(extra="ignore")


class StatusCondition(StatusModel):
    """One condition, as in Kubernetes' own `metav1.Condition`."""

    type: str = Field(max_length=64, description="Type of the condition, for example Succeeded.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that the condition is based on."
    )
    last_transition_time: Timestamp = Field(description="Time when the status last changed.")
    reason: str = Field(max_length=64, description="CamelCase word for programs.")
    message: str = Field(default="", max_length=4096, description="Explanation for people.")


def parse_duration(text: str) -> float:
    """Seconds of a GEP-2257 duration such as `1h30m` or `500ms`.

    Raises:
        ValueError: `text` is not a duration. Days are refused, as in GEP-2257.
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        hint = (
            "; there are no days or weeks: write hours, such as 24h" if _DAYS.search(text) else ""
        )
        raise ValueError(f"{text!r} is not a duration like 90s, 10m or 1h30m{hint}")
    parts = re.findall(r"([0-9]+)(ms|h|m|s)", text)
    return sum(int(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)


def parse_computed_duration(text: str) -> float:
    """Seconds of a duration that an expression gave. Fractions and more digits than in a manifest
    are accepted, so that `${seconds}s` and `string(duration(...))` work.

    Raises ValueError when `text` is not one, or when it is longer than LONGEST_WAIT.
    """
    if not _COMPUTED_DURATION.fullmatch(text):
        raise ValueError(f"expected a duration like 90s, 1.5h or 1h30m, found {text[:80]!r}")
    parts = _COMPUTED_PART.findall(text)
    seconds = sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)
    if seconds > LONGEST_WAIT:
        raise ValueError(f"expected at most {LONGEST_WAIT // 3600}h, found {text[:80]!r}")
    return seconds


Effect = Literal["none", "idempotent", "once"]
