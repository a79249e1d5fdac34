"""The schedules that the watch delivered, by name too: a run names its schedule in a label."""

from waypost.kube.objects import section, text
from waypost.ports.cluster import Obj
from waypost.runtime.cache.bodies import BodyCache
from waypost.runtime.cache.runs import Key


class ScheduleCache(BodyCache):
    """Schedules by key, by name, and by the name of their template."""

    def named(self, namespace: str, name: str) -> list[Key]:
        """The schedule with this name; two for a moment when it was made again."""
        return [key for key in self.known() if key.namespace == namespace and key.name == name]

    def of_template(self, namespace: str, template: str) -> list[Key]:
        """The schedules whose runs use this template."""
        return [
            key
            for key in self.known()
            if key.namespace == namespace and _template(self.body(key) or {}) == template
        ]


def _template(body: Obj) -> str:
    return text(section(body, "spec", "template", "spec", "templateRef"), "name")
