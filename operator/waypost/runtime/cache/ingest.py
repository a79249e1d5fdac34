"""From watch events and lists into the cache: which run an object concerns, and what is new.

Labels and annotations of children can be forged. So a child counts only for a run in its own
namespace, and says nothing about the run itself.
"""

from waypost.api import meta
from waypost.kube import objects
from waypost.kube.facts.approvals import approval_fact
from waypost.kube.facts.children import ChildFact
from waypost.kube.facts.pods import pod_fact
from waypost.ports.clock import Clock
from waypost.ports.cluster import Kind, Obj
from waypost.runtime.cache.newest import version_of
from waypost.runtime.cache.runs import Key, RunCache


class Ingest:
    """Puts runs, pods and Approvals into the cache."""

    def __init__(self, *, store: RunCache, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def take(self, kind: Kind, raw: Obj, *, deleted: bool) -> list[Key]:
        """Put one object into the cache.

        Args:
            kind: The object's kind; other kinds than run, pod and Approval are ignored.
            raw: Its body. No reference to it is kept.
            deleted: The watch reported DELETED, and `raw` is the last state.

        Returns:
            The runs that it concerns, if the object brings news: of a child run also its parent. A
            state that this operator itself has written and put into the cache is none when the
            watch repeats it.
        """
        if kind is Kind.AGENT_WORKFLOW:
            return self._take_run(raw, deleted=deleted)
        if kind is Kind.POD:
            return _listed(self._take_pod(raw, deleted=deleted))
        if kind is Kind.APPROVAL:
            return _listed(self._take_approval(raw, deleted=deleted))
        return []

    def _take_run(self, raw: Obj, *, deleted: bool) -> list[Key]:
        metadata = objects.section(raw, "metadata")
        uid = objects.text(metadata, "uid")
        if not uid:
            return []
        before = self._store.child(uid)
        if deleted:
            key = self._store.key_of(uid) or self._store.last_key(uid)
            self._store.drop_run(uid)
            return [*_listed(key), *self._parent(before, None), *self._freed()]
        if not self._store.put_run(raw):
            return []
        key = self._store.key_of(uid)
        return [*_listed(key), *self._parent(before, self._store.child(uid)), *self._freed()]

    def put_own(self, body: Obj) -> list[Key]:
        """Put in a state of a run that this operator has written, and that nobody else has.

        Returns:
            The parent of a child run, if what it sees of the child has changed, and runs that may
            now be accepted.
        """
        uid = objects.text(objects.section(body, "metadata"), "uid")
        before = self._store.child(uid)
        self._store.put_run(body, own=True)
        return [*self._parent(before, self._store.child(uid)), *self._freed()]

    def _freed(self) -> list[Key]:
        """The runs that wait for a place in their namespace, if one may be free."""
        keys = (self._store.key_of(uid) for uid in self._store.places.freed())
        return [key for key in keys if key is not None]

    def _parent(self, before: ChildFact | None, after: ChildFact | None) -> list[Key]:
        """The parent of a child run, if what it sees of the child has changed."""
        known = after or before
        if known is None or known.says_the_same(before if after is not None else None):
            return []
        return _listed(self._store.key_of(known.owner_uid))

    def _take_pod(self, raw: Obj, *, deleted: bool) -> Key | None:
        fact = pod_fact(raw)
        if fact is None:
            return None
        if deleted:
            self._store.drop_pod(fact.run_uid, fact.uid)
            return self._store.last_key(fact.run_uid)
        key = self._owner_key(raw, fact.run_uid)
        return key if key and self._store.put_pod(fact, version_of(raw)) else None

    def _take_approval(self, raw: Obj, *, deleted: bool) -> Key | None:
        fact = approval_fact(raw)
        uid = objects.text(objects.section(raw, "metadata", "labels"), meta.LABEL_RUN)
        if fact is None or not uid:
            return None
        if deleted:
            self._store.drop_approval(uid, fact.name)
            return self._store.last_key(uid)
        key = self._owner_key(raw, uid)
        if key is None:
            return None
        is_new = self._store.put_approval(fact, uid, version_of(raw), now=self._clock.now())
        return key if is_new else None

    def _owner_key(self, raw: Obj, uid: str) -> Key | None:
        """The run that a child names; None when it is in another namespace or not named."""
        metadata = objects.section(raw, "metadata")
        namespace = objects.text(metadata, "namespace")
        known = self._store.last_key(uid)
        if known is not None:
            return known if known.namespace == namespace else None
        name = objects.text(objects.section(metadata, "annotations"), meta.ANNOTATION_RUN_NAME)
        if not name:
            return None
        key = Key(namespace, name, uid)
        self._store.remember(key)
        return key


def _listed(key: Key | None) -> list[Key]:
    return [] if key is None else [key]
