"""Validation rules for a WorkflowEvent."""

from typing import Final

from waypost.api.crd.cel_rule import REQUIRED, Cel, Rule, any_of, at_most_one_of, names_of
from waypost.api.event.model import SETTLED

_FOR: Final = ("key", "workflow", "start")
_WHICH: Final = ("event ", Cel("self.metadata.name"), " is ", Cel("oldSelf.status.phase"))
_OLD: Final = "has(oldSelf.status) && has(oldSelf.status.phase)"
_FINAL: Final = ", ".join(f"'{phase}'" for phase in SETTLED)

EVENT: Final = (
    Rule(
        f"!({_OLD} && oldSelf.status.phase in [{_FINAL}])"
        " || has(self.status) && self.status == oldSelf.status",
        [*_WHICH, ", which is final; create another event"],
    ),
    # From one claim to another only through Pending: each claim is a decision about this state.
    Rule(
        f"!({_OLD} && oldSelf.status.phase == 'Claimed' && has(oldSelf.status.claim))"
        " || has(self.status) && (!has(self.status.claim) && self.status.phase == 'Pending'"
        " || has(self.status.claim) && self.status.claim == oldSelf.status.claim)",
        [*_WHICH, " by another node; only that claim, or none, can be written"],
    ),
)
SPEC: Final = (
    Rule("self == oldSelf", ["an event cannot be changed; create another one"]),
    Rule(
        any_of(_FOR),
        [
            "none of key, workflow and start is set; set key to what the event is about, or "
            "workflow to the name of a run"
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(_FOR),
        [
            names_of(_FOR),
            " are set; keep key for any run that waits for it, workflow for one run, or start",
        ],
    ),
    Rule(
        "!has(self.start) || has(self.source)",
        ["start is only allowed with source; to start a run yourself, create it"],
    ),
)
STATUS: Final = (
    Rule(
        "!has(self.phase) || has(self.claim) != has(self.start)"
        " && self.phase in ['Claimed', 'Consumed']"
        " || !has(self.claim) && !has(self.start) && !(self.phase in ['Claimed', 'Consumed'])",
        ["either claim or start is set exactly when phase is Claimed or Consumed"],
    ),
)
