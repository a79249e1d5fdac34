"""What a MemoryEntry says. Reading it from a body never raises."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from waypost.api.memory.model import (
    MAX_EPISODE_BYTES,
    MAX_FACT_BYTES,
    MAX_TEXT,
    EntryPhase,
    EntryType,
    MemoryEntrySpec,
    MemoryEntryStatus,
)
from waypost.kube.objects import moment, section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol import ijson

MEMORY_FULL: Final = "MemoryFull"  # reason: the key had as many facts as it may have


@dataclass(frozen=True)
class Entry:
    """One MemoryEntry whose spec can be read."""

    name: str
    uid: str
    resource_version: str
    spec: MemoryEntrySpec
    status: MemoryEntryStatus | None
    at: datetime  # source.at
    expires_at: datetime
    deleting: bool = False

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts the oldest first. It does not depend on when a person accepted it."""
        return self.at, self.name

    @property
    def identity(self) -> tuple[str, str]:
        """Its scope and key. Labels are hints; this is what counts."""
        return self.spec.scope, self.spec.key

    def slim(self) -> "Entry":
        """The entry without its value, for a cache."""
        return replace(self, spec=self.spec.model_copy(update={"value": None, "text": None}))

    @property
    def recorded(self) -> EntryPhase | None:
        """The phase in its status, for people."""
        return self.status.phase if self.status is not None else None


def entry(body: Any) -> Entry | None:
    """The entry of a body; None if its spec is not that of an entry that may be read."""
    metadata, found = section(body, "metadata"), section(body, "spec")
    try:
        spec = MemoryEntrySpec.model_validate(found)
    except ValidationError:
        return None
    at, expires = parse_timestamp(spec.source.at), parse_timestamp(spec.expires_at)
    name = text(metadata, "name")
    if not name or at is None or expires is None or value_problem(spec.type, spec.value):
        return None
    return Entry(
        name=name,
        uid=text(metadata, "uid"),
        resource_version=text(metadata, "resourceVersion"),
        spec=spec,
        status=_status(body),
        at=at,
        expires_at=expires,
        deleting=moment(metadata, "deletionTimestamp") is not None,
    )


def value_problem(type_: EntryType, value: Mapping[str, Any] | None) -> str:
    """Why an entry of this type cannot have this value; "" if it can. The CRD does not limit its
    size."""
    if value is None:
        return "" if type_ == "Forgotten" else f"{type_} needs value; add what is remembered"
    try:
        size = len(ijson.canonical(ijson.check(dict(value))))
    except ijson.IJsonError as error:
        return f"value{error.path.removeprefix('$')}: {error.problem}"
    limit = MAX_EPISODE_BYTES if type_ == "Episode" else MAX_FACT_BYTES
    return f"value: {size} bytes of JSON, the limit is {limit}" if size > limit else ""


def beginning(value: Mapping[str, Any]) -> str:
    """The beginning of a value in one line, as spec.text shows it in lists."""
    said = value.get("text")
    whole = said if isinstance(said, str) else ijson.canonical(dict(value)).decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in whole).split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _status(body: Any) -> MemoryEntryStatus | None:
    found = section(body, "status")
    try:
        return MemoryEntryStatus.model_validate(found) if found else None
    except ValidationError:
        return None
