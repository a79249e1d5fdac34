"""From Kubernetes bodies to facts: the few scalars the engine needs.

Total: a malformed body gives None or empty fields, never an exception, so that one poisoned
object cannot stop the operator (I16).
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from waypost.kube.timestamps import parse_timestamp

_FIRST_YEAR: Final = 2000  # no cluster is older


def section(body: Any, *path: str) -> dict[str, Any]:
    """The object at `path`; an empty one if any step is not an object."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def items(body: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list at `path`; anything else is left out."""
    listed = section(body, *path[:-1]).get(path[-1])
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def text(body: Mapping[str, Any], key: str) -> str:
    """The string at `key`, or ""."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def secret_text(secret: Any, key: str) -> str:
    """The text at `key` of a Secret, without line breaks around it; "" if there is none."""
    try:
        found = base64.b64decode(text(section(secret, "data"), key), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return found.strip("\r\n")


def moment(body: Mapping[str, Any], key: str) -> datetime | None:
    """The time at `key`; None if there is none or it is a placeholder.

    Runtimes write epoch 0, and Go year 1, for what never happened.
    """
    time = parse_timestamp(text(body, key))
    return time if time is not None and time.year >= _FIRST_YEAR else None


def whole_number(value: object) -> int:
    """A decimal text of up to 9 digits as a number; 0 for anything else."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else 0


def lists(value: object, item: str) -> bool:
    """Whether `value` is a list that contains `item`."""
    return isinstance(value, list) and item in value


def named(listed: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    """The first object with this `name`; an empty one if there is none."""
    return next((item for item in listed if item.get("name") == name), {})


def condition_text(status: dict[str, Any], type_: str, value: str, reason: str = "") -> str:
    """`reason: message` of a condition.

    Args:
        status: The status that holds `conditions`.
        type_: The condition's type.
        value: The status it must have: True, False or Unknown.
        reason: The reason it must have; "" for any.

    Returns:
        The text, or "" when no condition matches.
    """
    for item in items(status, "conditions"):
        if item.get("type") == type_ and item.get("status") == value:
            if reason and item.get("reason") != reason:
                return ""
            return f"{text(item, 'reason')}: {text(item, 'message')}"
    return ""


def controller(body: Any) -> str:
    """The owner that is the controller, as `Kind/name`; "" if there is none."""
    for owner in items(body, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return f"{text(owner, 'kind')}/{text(owner, 'name')}"
    return ""


def controller_uid(body: Any) -> str:
    """The uid of the owner that is the controller, or ""."""
    for owner in items(body, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return text(owner, "uid")
    return ""
