"""A watcher of policies: judges every change as the API server stores it (VE1, VE2).

It compares labels and policies that are stored, and asks no operator.
"""

from typing import Final

from waypost.api import meta
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

# A launch reads the policy and creates the Job within the ten seconds of its fence.
EXCUSED: Final = 11.0


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World) -> None:
        self.violations: list[Violation] = []
        self._world = world
        self._deleted_by_people: dict[str, float] = {}  # by label: when
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, text_: str, invariant: str = "VE1") -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text_, self._world.clock.monotonic()))

    def excuse(self, policy: Obj) -> None:
        """A person deletes this policy now."""
        self._deleted_by_people[_label(policy)] = self._world.clock.monotonic()

    def is_excused(self, label: str) -> bool:
        """Whether a person has deleted the policy so lately that a launch may have read it."""
        at = self._deleted_by_people.get(label)
        return at is not None and self._world.clock.monotonic() - at < EXCUSED

    def policies(self) -> dict[str, Obj]:
        """The policies by label."""
        return {_label(body): body for body in self._world.all(Kind.NETWORK_POLICY)}

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        label = _label(body)
        if kind is Kind.JOB and change == "ADDED":
            self._job(body, label)
        elif kind is Kind.NETWORK_POLICY and change == "DELETED" and not self.is_excused(label):
            used = [
                text(section(one, "metadata"), "name")
                for kept in (Kind.JOB, Kind.POD)
                for one in self._world.all(kept)
                if _label(one) == label
            ]
            if used:
                self.blame(f"the policy {label} is deleted, and selects {used}", "VE2")

    def _job(self, body: Obj, label: str) -> None:
        name = text(section(body, "metadata"), "name")
        pod = section(body, "spec", "template")
        if label != _label(pod):
            self.blame(f"Job {name} has label {label!r}, and its pod {_label(pod)!r}")
        if not label or self.is_excused(label):
            return
        policy = self.policies().get(label)
        if policy is None:
            self.blame(f"Job {name} is created before its policy {label}")
        elif section(policy, "spec", "podSelector", "matchLabels") != {meta.LABEL_EGRESS: label}:
            self.blame(f"the policy of Job {name} does not select its pod")


def _label(body: Obj) -> str:
    return text(section(body, "metadata", "labels"), meta.LABEL_EGRESS)
