"""Objects by kind and name, one revision counter for all, and listeners of every change."""

from collections.abc import Callable, Iterator

from waypost.ports.cluster import Kind, Obj

Listener = Callable[[Kind, str, Obj], None]
FIRST_REVISION = 990  # so that comparing versions as texts goes wrong early: "999" > "1000"


class Storage:
    """What etcd is to the API server. Bodies that are read are shared and must not be
    changed; to change an object, write a new body."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION
        self.listeners: list[Listener] = []
        self._objects: dict[Kind, dict[tuple[str, str], Obj]] = {kind: {} for kind in Kind}
        self._by_uid: dict[str, tuple[Kind, Obj]] = {}

    def read(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """The stored body, or None."""
        return self._objects[kind].get((namespace or "", name))

    def find(self, uid: str) -> tuple[Kind, Obj] | None:
        """The object with this uid, or None."""
        return self._by_uid.get(uid)

    def scan(self, kind: Kind, namespace: str | None = None) -> Iterator[Obj]:
        """All bodies of a kind, by namespace and name as etcd orders them."""
        for place, body in sorted(self._objects[kind].items()):
            if namespace is None or place[0] == namespace:
                yield body

    def write(self, kind: Kind, body: Obj) -> Obj:
        """Store a body (which now belongs to the storage) under the next revision."""
        place = _place(body)
        change = "MODIFIED" if place in self._objects[kind] else "ADDED"
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        self._objects[kind][place] = body
        self._by_uid[body["metadata"]["uid"]] = (kind, body)
        self._tell(kind, change, body)
        return body

    def remove(self, kind: Kind, body: Obj) -> Obj:
        """Take an object away; what watchers see of it carries the revision of its end."""
        self.revision += 1
        version = str(self.revision)
        last: Obj = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        del self._objects[kind][_place(body)]
        del self._by_uid[body["metadata"]["uid"]]
        self._tell(kind, "DELETED", last)
        return last

    def _tell(self, kind: Kind, change: str, body: Obj) -> None:
        for listener in list(self.listeners):
            listener(kind, change, body)


def _place(body: Obj) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
