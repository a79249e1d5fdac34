"""Validation rules for a MemoryEntry."""

from typing import Final

from waypost.api.crd.cel_rule import (
    REQUIRED,
    Cel,
    Rule,
    any_of,
    changes_of,
    names_of,
    unchanged,
    wire_names,
)
from waypost.api.memory.model import MAX_LIFETIME_HOURS, MemoryEntrySpec

REVIEWED: Final = ("decision", "decidedBy", "note")

# Every other field of the spec, also a future one, is what was remembered.
_REMEMBERED: Final = wire_names(MemoryEntrySpec, without=frozenset(REVIEWED))
_OF_FACTS: Final = ("subject", "review", "full")
_OF_EPISODES: Final = ("succeeded", "scheduledAt")
_OF_ENTRIES: Final = ("value", "text", "schemaDigest")
_REMEMBERS: Final = "self.type in ['Episode', 'Fact']"
_ORIGIN: Final = "has(self.source.run) && has(self.source.runUid) && has(self.source.round)"
# To the API server it is a time, to `waypost lint` a text; so both read it as a text.
_BEGIN: Final = "timestamp(string(self.source.at))"
_END: Final = "timestamp(string(self.expiresAt))"

SPEC: Final = (
    Rule(
        unchanged(_REMEMBERED),
        [
            "what was remembered cannot be changed; found a change of ",
            changes_of(_REMEMBERED),
            f"; only {', '.join(REVIEWED)} can change",
        ],
    ),
    Rule(
        f"!({_REMEMBERS}) || has(self.value)",
        [Cel("self.type"), " needs value; add what is remembered"],
        field_path=".value",
        reason=REQUIRED,
    ),
    Rule(
        f"self.type != 'Forgotten' || !{any_of((*_OF_ENTRIES, *REVIEWED))}",
        [
            "found ",
            names_of((*_OF_ENTRIES, *REVIEWED)),
            " in an entry of type Forgotten; remove it",
        ],
    ),
    Rule(
        f"self.type == 'Fact' || !{any_of(_OF_FACTS)}",
        [names_of(_OF_FACTS), " is only allowed with type: Fact; found ", Cel("self.type")],
    ),
    Rule(
        f"self.type == 'Episode' || !{any_of(_OF_EPISODES)}",
        [names_of(_OF_EPISODES), " is only allowed with type: Episode; found ", Cel("self.type")],
    ),
    Rule(
        "self.type != 'Episode' || has(self.succeeded)",
        ["an Episode needs succeeded; say whether the run succeeded"],
        field_path=".succeeded",
        reason=REQUIRED,
    ),
    Rule(
        f"!({_REMEMBERS}) || {_ORIGIN}",
        [Cel("self.type"), " needs source.run, source.runUid and source.round"],
        field_path=".source",
        reason=REQUIRED,
    ),
    Rule(
        "self.type != 'Fact' || has(self.source.path)",
        ["a Fact needs source.path; name the node that made it"],
        field_path=".source",
        reason=REQUIRED,
    ),
    Rule(
        f"{_END} > {_BEGIN} && {_END} <= {_BEGIN} + duration('{MAX_LIFETIME_HOURS}h')",
        ["expiresAt must be after source.at, and at most two years after it"],
        field_path=".expiresAt",
    ),
    Rule(
        "has(self.decision) == has(self.decidedBy)",
        ["decision and decidedBy belong together; set decidedBy to your user name"],
        field_path=".decidedBy",
    ),
    Rule(
        "!has(oldSelf.decision) || has(self.decision)",
        ["a decision cannot be withdrawn; change it to Accepted or Rejected"],
        field_path=".decision",
    ),
)
