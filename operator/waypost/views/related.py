"""What belongs to a run and was read beside it. All is optional: a view shows what is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waypost.api.base import JsonObject
from waypost.views.models import AttemptKey, TraceView


@dataclass(frozen=True)
class Related:
    """Objects as the API server has them.

    Attributes:
        approvals: Approvals of the run, by name.
        traces: Traces by path and number of their attempt.
        definition: The NodeRecord with the definition of a run of a template.
        records: NodeRecords with the items of maps that have ended, by name.
        pods: Pods of its attempts.
        events: Events on these pods.
    """

    approvals: Mapping[str, JsonObject] = field(default_factory=dict)
    traces: Mapping[AttemptKey, TraceView] = field(default_factory=dict)
    definition: JsonObject | None = None
    records: Mapping[str, JsonObject] = field(default_factory=dict)
    pods: tuple[JsonObject, ...] = ()
    events: tuple[JsonObject, ...] = ()
