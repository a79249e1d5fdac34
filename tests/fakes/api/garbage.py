"""The garbage collector and the namespace controller of the simulated cluster."""

from collections import defaultdict
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, NotFound, Obj

from tests.fakes.api.deletion import FOREGROUND, ORPHAN, Deletion
from tests.fakes.api.server import ApiServer

_GC: Final = "generic-garbage-collector"
_GC_SECONDS: Final = 0.05
_NAMESPACE_SECONDS: Final = 1.0

Place = tuple[Kind, str, str]


class Garbage:
    """Deletes what lost its owners, and empties namespaces: pods first, all else once they
    are gone."""

    def __init__(self, *, server: ApiServer) -> None:
        self._server = server
        self._dependents: dict[str, set[Place]] = defaultdict(set)  # by uid of the owner
        self._planned: set[str] = set()
        server.storage.listeners.append(self._changed)

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        metadata = body["metadata"]
        if kind is Kind.NAMESPACE:
            if change == "MODIFIED" and "deletionTimestamp" in metadata:
                name = metadata["name"]
                self._server.agenda.after(_GC_SECONDS, lambda: self._empty(name))
            return
        if "namespace" not in metadata:
            return
        place = (kind, metadata["namespace"], metadata["name"])
        for owner in _owners(body):
            if change == "DELETED":
                self._dependents[owner].discard(place)
            else:
                self._dependents[owner].add(place)
            if change != "MODIFIED":
                self._plan(owner)
        has_dependents = metadata["uid"] in self._dependents
        if change == "DELETED" and has_dependents:
            self._plan(metadata["uid"])
        elif change == "MODIFIED" and "deletionTimestamp" in metadata:
            # Also without dependents: the finalizer of its propagation is to be taken off.
            self._plan(metadata["uid"])

    def _plan(self, uid: str) -> None:
        if uid not in self._planned:
            self._planned.add(uid)
            self._server.agenda.after(_GC_SECONDS, lambda: self._collect(uid))

    def _collect(self, uid: str) -> None:
        self._planned.discard(uid)
        found = self._server.storage.find(uid)
        if found is None:
            for place in sorted(self._dependents[uid], key=_order):
                self._collect_dependent(place)
            return
        kind, owner = found
        finalizers = owner["metadata"].get("finalizers", [])
        if "deletionTimestamp" not in owner["metadata"]:
            return
        if ORPHAN in finalizers:
            self._orphan(kind, owner)
        elif FOREGROUND in finalizers:
            self._foreground(kind, owner)

    def _collect_dependent(self, place: Place) -> None:
        body = self._body(place)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return
        if any(self._server.storage.find(owner) for owner in _owners(body)):
            return
        self._delete(place, body, "Background")

    def _foreground(self, kind: Kind, owner: Obj) -> None:
        uid, blocking = owner["metadata"]["uid"], 0
        for place in sorted(self._dependents[uid], key=_order):
            body = self._body(place)
            if body is None:
                continue
            blocking += _blocks(body, uid)
            if "deletionTimestamp" not in body["metadata"]:
                own = self._dependents.get(body["metadata"]["uid"])
                self._delete(place, body, "Foreground" if own else "Background")
        # Deletions may have been immediate: count again on what is left.
        left = [body for p in self._dependents[uid] if (body := self._body(p)) is not None]
        if not any(_blocks(body, uid) for body in left):
            self._drop_finalizer(kind, owner, FOREGROUND)

    def _orphan(self, kind: Kind, owner: Obj) -> None:
        uid = owner["metadata"]["uid"]
        for dependent, namespace, name in sorted(self._dependents[uid], key=_order):

            def release(body: Obj) -> None:
                kept = [o for o in body["metadata"]["ownerReferences"] if o["uid"] != uid]
                body["metadata"]["ownerReferences"] = kept

            self._server.update(dependent, namespace=namespace, name=name, change=release, by=_GC)
        self._dependents.pop(uid, None)
        self._drop_finalizer(kind, owner, ORPHAN)

    def _drop_finalizer(self, kind: Kind, owner: Obj, finalizer: str) -> None:
        def drop(body: Obj) -> None:
            kept = [f for f in body["metadata"].get("finalizers", []) if f != finalizer]
            body["metadata"]["finalizers"] = kept

        metadata = owner["metadata"]
        self._server.update(
            kind, namespace=metadata["namespace"], name=metadata["name"], change=drop, by=_GC
        )

    def _body(self, place: Place) -> Obj | None:
        return self._server.storage.read(*place)

    def _delete(self, place: Place, body: Obj, propagation: str) -> None:
        options = Deletion(uid=body["metadata"]["uid"], propagation=propagation)
        self._server.delete(place[0], namespace=place[1], name=place[2], options=options)

    def _empty(self, namespace: str) -> None:
        """One pass of the namespace controller; it comes back until nothing is left."""
        storage = self._server.storage
        home = storage.read(Kind.NAMESPACE, None, namespace)
        if home is None:
            return
        pods = list(storage.scan(Kind.POD, namespace))
        others = [kind for kind in Kind if kind not in (Kind.POD, Kind.NAMESPACE)]
        rest = [(kind, body) for kind in others for body in storage.scan(kind, namespace)]
        for kind, body in [(Kind.POD, pod) for pod in pods] or rest:
            self._delete_once(kind, body)
        if pods or any(True for kind in Kind if any(storage.scan(kind, namespace))):
            self._server.agenda.after(_NAMESPACE_SECONDS, lambda: self._empty(namespace))
        else:
            storage.remove(Kind.NAMESPACE, home)

    def _delete_once(self, kind: Kind, body: Obj) -> None:
        metadata = body["metadata"]
        if "deletionTimestamp" in metadata:
            return
        try:
            self._delete((kind, metadata["namespace"], metadata["name"]), body, "Background")
        except NotFound:
            return  # went as a dependent of another one just now


def _owners(body: Obj) -> list[str]:
    return [owner["uid"] for owner in items(body, "metadata", "ownerReferences")]


def _blocks(body: Obj, uid: str) -> bool:
    owners = items(section(body, "metadata"), "ownerReferences")
    return any(o["uid"] == uid and o.get("blockOwnerDeletion") is True for o in owners)


def _order(place: Place) -> tuple[str, str, str]:
    return place[0].plural, place[1], place[2]
