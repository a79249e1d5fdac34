"""Models of a MemoryEntry. Descriptions are what `kubectl explain` prints."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import JsonObject, Model, StatusModel, Timestamp

# A name of a template, a value of the label waypost.dev/workflow, or "*".
SCOPE_PATTERN: Final = r"^(\*|[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?)$"
SCOPE_NAMESPACE: Final = "*"  # of entries that all workflows of the namespace share
MAX_KEY: Final = 200  # characters
MAX_SUBJECT: Final = 200  # characters
MAX_TEXT: Final = 60  # characters of the beginning of a value
MAX_FIELDS: Final = 64  # of a value
MAX_FACT_BYTES: Final = 4 * 1024  # of canonical JSON
MAX_EPISODE_BYTES: Final = 16 * 1024
MAX_LIFETIME_HOURS: Final = 731 * 24  # two years
FORGOTTEN_DAYS: Final = 30  # how long a Forgotten entry is kept
# How many entries of a key are kept.
KEPT_EPISODES: Final = 20
KEPT_FACTS: Final = 200  # Proposed or Active
KEPT_SETTLED: Final = 50  # facts that are Superseded or Rejected

EntryType = Literal["Episode", "Fact", "Forgotten"]
EntryPhase = Literal["Proposed", "Active", "Rejected", "Superseded", "Expired"]
EntryDecision = Literal["Accepted", "Rejected"]
Review = Literal["Required", "Automatic"]
Inject = Literal["Facts", "Episodes", "Both", "None"]  # what an agent is given


class EntrySource(Model):
    """Where an entry comes from. An entry of type Forgotten has only the time."""

    at: Timestamp = Field(
        description="Of an Episode, the end of its run; of a Fact, the time when its node was "
        "recorded as Succeeded; of Forgotten, the time up to which all entries are forgotten."
    )
    run: str | None = Field(
        default=None, min_length=1, max_length=253, description="Name of the run."
    )
    run_uid: str | None = Field(
        default=None, min_length=1, max_length=64, description="uid of the run."
    )
    workflow: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Name of the template of the run, or the value of its label "
        "waypost.dev/workflow.",
    )
    round: int | None = Field(default=None, ge=1, description="Round of the run.")
    path: str | None = Field(
        default=None, min_length=1, max_length=128, description="Of a Fact, the path of its node."
    )
    attempt: int | None = Field(
        default=None, ge=1, description="Of a Fact, the attempt that was recorded as Succeeded."
    )
    ordinal: int | None = Field(
        default=None, ge=0, description="Of a Fact, its position in what the node remembered."
    )
    output_digest: str | None = Field(
        default=None, max_length=80, description="Of a Fact, sha256 of the output of the node."
    )


class MemoryEntrySpec(Model):
    """What is remembered, and of what. Only decision, decidedBy and note can change."""

    scope: Annotated[
        str, StringConstraints(pattern=SCOPE_PATTERN, min_length=1, max_length=253)
    ] = Field(
        description="Runs that the entry is for: those of this template, or with this value of the "
        "label waypost.dev/workflow; * is all runs of the namespace."
    )
    key: Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY)] = Field(
        description="What the entry is about, such as a customer: memory.key of the runs."
    )
    type: EntryType = Field(
        description="Episode: what one run did. Fact: a statement that a node made. Forgotten: "
        "everything of the key up to source.at is forgotten."
    )
    subject: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SUBJECT)] | None = Field(
        default=None,
        description="Of a Fact: what it says something of. Of several Active facts with one "
        "subject, runs read the newest.",
    )
    text: str | None = Field(
        default=None,
        max_length=MAX_TEXT,
        description="The beginning of value, for lists. Runs do not read it.",
    )
    value: JsonObject | None = Field(
        default=None,
        max_length=MAX_FIELDS,
        description=f"The fact or the outputs of the run, at most {MAX_FACT_BYTES} bytes of JSON, "
        f"of an Episode {MAX_EPISODE_BYTES}. It is data: ${{...}} is not evaluated here.",
    )
    schema_digest: str | None = Field(
        default=None, max_length=80, description="sha256 of the schema that value matched."
    )
    succeeded: bool | None = Field(
        default=None, description="Of an Episode: whether the run succeeded."
    )
    scheduled_at: Timestamp | None = Field(
        default=None,
        description="Of an Episode: the time for which a schedule started the run.",
    )
    source: EntrySource = Field(description=EntrySource.__doc__)
    expires_at: Timestamp = Field(
        description="Time from which no run reads the entry, at most two years after source.at."
    )
    review: Review | None = Field(
        default=None,
        description="Of a Fact. Required: runs read it once a person has accepted it (default). "
        "Automatic: runs read it unless a person rejects it.",
    )
    full: bool | None = Field(
        default=None,
        description="Of a Fact: the key had as many facts as it may have. No run reads it, unless "
        "a person accepts it.",
    )
    decision: EntryDecision | None = Field(
        default=None,
        description="Answer of a person: Accepted, or Rejected. It can change, and counts for "
        "later runs.",
    )
    decided_by: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="User name of the person who decided. The admission policy refuses any other "
        "name than that of the user who sends the decision.",
    )
    note: str | None = Field(
        default=None, max_length=1024, description="Reason for the decision. Runs do not read it."
    )


class MemoryEntryStatus(StatusModel):
    """What the entry is now, for people. Only the operator writes it; runs read spec."""

    phase: EntryPhase = Field(
        default="Proposed",
        description="Proposed: a person has to decide. Active: later runs read it. Rejected: a "
        "person rejected it, or its key has too many facts. Superseded: a newer fact has its "
        "subject, or a later round of its run has an Episode. Expired: expiresAt has passed, or "
        "the key was forgotten.",
    )
    decided_by: str | None = Field(
        default=None, max_length=253, description="Name of the person who decided."
    )
    reason: str | None = Field(
        default=None, max_length=64, description="CamelCase word that says why, for programs."
    )
