"""VI1: once the status names the digest of an image, every later attempt runs it.

Judged by what the API server stores: the version of the run that names an attempt first says what
its pod has to run. Items of maps and iterations count as attempts of their node.
"""

from collections.abc import Callable

from waypost.api import meta
from waypost.kube.objects import controller_uid, items, section, text, whole_number
from waypost.ports.cluster import Kind, Obj

from tests.support.harness import World


class ImageWatcher:
    """Receives every change before any operator does. `blame` notes a violation."""

    def __init__(self, world: World, blame: Callable[[str, str], None]) -> None:
        self.pinned = 0  # pods that had to run a digest
        self._blame = blame
        self._known: set[tuple[str, int]] = set()
        self._expected: dict[tuple[str, int], str] = {}  # by path of the node and attempt
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.AGENT_WORKFLOW and change != "DELETED":
            for node in items(body, "status", "nodes"):
                self._node(node)
        elif kind is Kind.POD and change == "ADDED":
            self._pod(body)

    def _node(self, node: Obj) -> None:
        image = section(node, "image")
        named = f"{image['name']}@{image['digest']}" if image else ""
        for attempt in items(node, "attempts"):
            key = (str(node["path"]), int(attempt["number"]))
            if key not in self._known:
                self._known.add(key)
                self._expected[key] = named

    def _pod(self, body: Obj) -> None:
        metadata = body["metadata"]
        path = text(section(metadata, "annotations"), meta.ANNOTATION_PATH)
        number = text(section(metadata, "labels"), meta.LABEL_ATTEMPT)
        key = (path.partition("/")[0], whole_number(number) or 0)
        expected = self._expected.get(key, "")
        if not expected or not controller_uid(body):
            return
        [image] = [c["image"] for c in body["spec"]["containers"] if c["name"] == "node"]
        self.pinned += 1
        if image != expected and expected.startswith(image.partition("@")[0]):
            self._blame("VI1", f"{path} {number} runs {image}, the status names {expected}")
