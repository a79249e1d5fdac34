"""The caches of objects other than runs."""

from dataclasses import dataclass, field

from waypost.runtime.cache.endpoints import EndpointCache
from waypost.runtime.cache.schedules import ScheduleCache
from waypost.runtime.cache.templates import TemplateCache


@dataclass(frozen=True)
class OtherCaches:
    """One cache for each kind, or for each group of kinds with one loop."""

    endpoints: EndpointCache = field(default_factory=EndpointCache)
    templates: TemplateCache = field(default_factory=TemplateCache)
    schedules: ScheduleCache = field(default_factory=ScheduleCache)
