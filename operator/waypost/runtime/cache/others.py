"""The caches of objects other than runs."""

from dataclasses import dataclass, field

from waypost.engine.nodes.event import awaited
from waypost.engine.state.decision import Decision
from waypost.runtime.cache.bodies import BodyCache
from waypost.runtime.cache.endpoints import EndpointCache
from waypost.runtime.cache.events import EventCache
from waypost.runtime.cache.runs import Key
from waypost.runtime.cache.schedules import ScheduleCache
from waypost.runtime.cache.templates import TemplateCache


@dataclass(frozen=True)
class OtherCaches:
    """One cache for each kind, or for each group of kinds with one loop."""

    endpoints: EndpointCache = field(default_factory=EndpointCache)
    templates: TemplateCache = field(default_factory=TemplateCache)
    events: EventCache = field(default_factory=EventCache)
    schedules: ScheduleCache = field(default_factory=ScheduleCache)
    sources: BodyCache = field(default_factory=BodyCache)

    def note(self, run: Key, decision: Decision) -> None:
        """Remember what a run waits for, by what a pass has decided."""
        self.endpoints.note(run, decision.status)
        self.templates.note(run, decision.awaits_template)
        self.events.note(run, awaited(run.name, decision.status))

    def forget(self, run: Key) -> None:
        """Drop what is cached of a run that no longer exists."""
        self.endpoints.forget(run)
        self.templates.note(run, "")
        self.events.note(run, ())
