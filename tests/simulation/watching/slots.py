"""VK1 in a run whose nodes share a key: judged by the Leases, Jobs and pods that the API server
stores. What is excused of pods elsewhere is excused here too."""

from collections.abc import Callable

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import owner_of
from tests.simulation.scenario.plan import RUN, Scenario
from tests.simulation.watching.evidence import Evidence, PodStory
from tests.support.harness import World

Holder = tuple[str, str, int]  # uid of the run, path, attempt


class SlotWatcher:
    """Receives every change after the watcher, and before any operator does. `blame` notes a
    violation."""

    def __init__(
        self, world: World, scenario: Scenario, seen: Evidence, blame: Callable[[str, str], None]
    ) -> None:
        self.held: dict[str, Holder] = {}  # by name of the Lease
        self._places = {node.name: node.places for node in scenario.nodes if node.places}
        self._seen = seen
        self._blame = blame
        self._started: set[str] = set()  # pods, by uid
        if self._places:
            world.cluster.server.storage.listeners.insert(2, self._changed)

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        match kind:
            case Kind.LEASE if text(section(body, "metadata", "labels"), meta.LABEL_SLOTS):
                self._lease(change, body)
            case Kind.JOB if change == "ADDED":
                self._job(body)
            case Kind.POD:
                self._pod(self._seen.pods.get(body["metadata"]["uid"]))
            case Kind.AGENT_WORKFLOW if body["metadata"]["name"] == RUN:
                nodes = items(body, "status", "nodes")
                if any(node.get("reason") == "WaitingForSlot" for node in nodes):
                    self._seen.exercised["waits for a slot"] = 1

    def _lease(self, change: str, body: Obj) -> None:
        name = text(section(body, "metadata"), "name")
        if change == "DELETED":
            self.held.pop(name, None)
            return
        uid, _, rest = text(section(body, "spec"), "holderIdentity").partition("/")
        path, _, number = rest.rpartition("/")
        self.held[name] = (uid, path, int(number))

    def _job(self, body: Obj) -> None:
        metadata = section(body, "metadata")
        labels, notes = section(metadata, "labels"), section(metadata, "annotations")
        path = text(notes, meta.ANNOTATION_PATH)
        if owner_of(path) not in self._places or metadata["uid"] in self._seen.relaunched:
            return
        holder = (text(labels, meta.LABEL_RUN), path, int(text(labels, meta.LABEL_ATTEMPT)))
        if holder not in self.held.values():
            self._blame("VK1", f"Job {metadata['name']} is created without a slot")

    def _pod(self, story: PodStory | None) -> None:
        if story is None or story.started_at is None or story.uid in self._started:
            return
        self._started.add(story.uid)
        places = self._places.get(owner_of(story.path), 0)
        running = [pod.name for pod in self._seen.pods.values() if self._runs(pod)]
        if places and len(running) > places:
            self._blame("VK1", f"{len(running)} programs hold {places} slots: {running}")

    def _runs(self, pod: PodStory) -> bool:
        """Whether the program of a pod runs and holds a slot."""
        seen = self._seen
        if owner_of(pod.path) not in self._places or pod.started_at is None:
            return False
        freed = seen.was_given_up(pod.uid) or seen.is_relaunched(pod.uid)
        freed = freed or seen.is_dropped(pod.path)
        return pod.over_at is None and pod.gone_at is None and not freed
