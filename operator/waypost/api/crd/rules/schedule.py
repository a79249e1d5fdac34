"""Validation rules for an AgentWorkflowSchedule."""

from typing import Final

from waypost.api import meta
from waypost.api.crd.cel_rule import Cel, Rule
from waypost.api.crd.rules.durations import not_zero
from waypost.api.schedule.model import MAX_NAME

SCHEDULE: Final = (
    Rule(
        f"self.metadata.name.size() <= {MAX_NAME}",
        [
            "the name ",
            Cel("self.metadata.name"),
            f" is too long; a schedule has a name of at most {MAX_NAME} characters, because its "
            "runs have this name and a time",
        ],
    ),
)
SPEC: Final = (
    not_zero("spread"),
    Rule(
        "!has(self.template.metadata) || !has(self.template.metadata.labels) || "
        f"!self.template.metadata.labels.exists(k, k.startsWith('{meta.GROUP}/'))",
        [f"labels of the domain {meta.GROUP} are reserved; use another domain"],
        field_path=".template",
    ),
    Rule(
        "!has(self.template.metadata) || !has(self.template.metadata.annotations) || "
        f"!self.template.metadata.annotations.exists(k, k.startsWith('{meta.GROUP}/'))",
        [f"annotations of the domain {meta.GROUP} are reserved; use another domain"],
        field_path=".template",
    ),
)
RUN_SPEC: Final = (not_zero("deadline"),)
