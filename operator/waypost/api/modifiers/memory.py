"""`spec.memory` of a run: what it reads of earlier runs with the same key, and what it keeps; and
`remember` of its nodes."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import INPUT_KEY_PATTERN, Duration, JsonObject, JsonValue, Model
from waypost.api.memory.model import MAX_SUBJECT, Review

MAX_KEY: Final = 200  # characters of an evaluated key
MAX_EPISODES: Final = 20
MAX_FACTS: Final = 200
MAX_BYTES: Final = 64 * 1024
DEFAULT_EPISODES: Final = 1
DEFAULT_FACTS: Final = 20
DEFAULT_BYTES: Final = 16 * 1024
DEFAULT_EXPIRY: Final = 90 * 24 * 3600.0
MAX_EXPIRY: Final = 2 * 365 * 24 * 3600.0
MOST_FACTS: Final = 20  # that one execution of a node remembers
MOST_OF_NODE: Final = 200  # that all items of a map remember in one round
DEFAULT_FACT: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "subject": {"type": "string", "minLength": 1, "maxLength": MAX_SUBJECT},
        "text": {"type": "string", "minLength": 1, "maxLength": 2000},
    },
    "required": ["text"],
    "additionalProperties": False,
}

_Key = Annotated[str, StringConstraints(min_length=1, max_length=2056)]
_Name = Annotated[str, StringConstraints(pattern=INPUT_KEY_PATTERN, max_length=63)]


class MemoryRead(Model):
    """Limits of what the run reads."""

    episodes: int | None = Field(
        default=None, ge=0, le=MAX_EPISODES, description=f"Episodes. Default {DEFAULT_EPISODES}."
    )
    facts: int | None = Field(
        default=None, ge=0, le=MAX_FACTS, description=f"Facts. Default {DEFAULT_FACTS}."
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=MAX_BYTES,
        description=f"Bytes of JSON. Default {DEFAULT_BYTES}.",
    )


class RunMemory(Model):
    """What the run reads of earlier runs with the same key, and what it keeps for later ones."""

    key: _Key = Field(
        description='Whom the memory is about, for example "customer-${inputs.customerId}". It '
        f"sees inputs and run, and must be a text of 1 to {MAX_KEY} characters."
    )
    scope: Literal["Workflow", "Namespace"] | None = Field(
        default=None,
        description="Workflow (default): shared by the runs of one template, or with one label "
        "waypost.dev/workflow. Namespace: shared by all runs of the namespace.",
    )
    read: MemoryRead | None = Field(default=None, description=MemoryRead.__doc__)
    remember: dict[_Name, JsonValue] | None = Field(
        default=None,
        max_length=32,
        description="The Episode: evaluated like outputs, and written once, at the end of the run.",
    )
    fact_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema (2020-12) of a fact, an object. Default: text, and optionally "
        "subject.",
    )
    review: Review | None = Field(
        default=None,
        description="Required (default): a person accepts facts before runs read them.",
    )
    expire_after: Duration | None = Field(
        default=None, description="How long entries are kept, at most 17520h. Default 2160h."
    )

    @property
    def episodes(self) -> int:
        """How many Episodes are read, beside the last one of a run that succeeded."""
        given = self.read.episodes if self.read is not None else None
        return DEFAULT_EPISODES if given is None else given

    @property
    def facts(self) -> int:
        """How many Facts are read."""
        given = self.read.facts if self.read is not None else None
        return DEFAULT_FACTS if given is None else given

    @property
    def max_bytes(self) -> int:
        """How many bytes the snapshot has at most."""
        given = self.read.max_bytes if self.read is not None else None
        return DEFAULT_BYTES if given is None else given

    @property
    def facts_meet(self) -> JsonObject:
        """The schema of a fact."""
        return DEFAULT_FACT if self.fact_schema is None else self.fact_schema


class Remember(Model):
    """Facts for later runs. Needs memory."""

    facts: JsonValue = Field(
        description=f"A list of at most {MOST_FACTS}, such as ${{self.output.facts}}."
    )
    review: Review | None = Field(
        default=None, description="Default memory.review. Automatic: not for agents."
    )


def key_problem(key: str) -> str:
    """Why a key cannot be used; "" if it can."""
    if not key.strip():
        return "is empty; give it a name, such as that of a customer"
    if len(key) > MAX_KEY:
        return f"has {len(key)} characters, the limit is {MAX_KEY}"
    if not key.isprintable():
        return f"{key!r} has characters that cannot be printed; remove them"
    return ""
