"""What the watch delivered: bodies of runs, and facts of their pods and Approvals.

A cache: it may lag, and what is not in it may still exist. The results of our own writes are put
in at once, so a pass always sees what earlier passes wrote.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from waypost.api.isolation.policy import NamespacePolicy
from waypost.engine.state.decision import FreeSlot
from waypost.kube.facts.approvals import ApprovalFact, seen
from waypost.kube.facts.children import ChildFact, child_fact
from waypost.kube.facts.jobs import JobFact, WriteProblem
from waypost.kube.facts.pods import PodFact, changes_nothing, following
from waypost.kube.facts.start_events import StartEvents
from waypost.kube.objects import section, text
from waypost.ports.cluster import Obj
from waypost.runtime.cache.newest import Newest, version_of
from waypost.runtime.cache.parsed import ParsedBodies, RunBody
from waypost.runtime.cache.places import Places
from waypost.telemetry.signals import NONE, Signals, signals


@dataclass(frozen=True, order=True)
class Key:
    """A run: namespace and name for requests, uid because a name may be used again."""

    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class RunEntry:
    """What is cached of one run. The body is kept as JSON, to save memory: most runs are idle."""

    body: RunBody | None = None
    version: int = 0
    finished: bool = False  # status.finishedAt is set
    ended: bool = False  # finished, and its spec has not changed since
    urgent: bool = False  # its spec has changed since it was written, or an Approval was answered
    pods: Newest[str, PodFact] = field(default_factory=Newest)  # by uid
    events: dict[str, StartEvents] = field(default_factory=dict)  # of silent pods, by uid
    approvals: Newest[str, ApprovalFact] = field(default_factory=Newest)  # by name
    children: dict[str, ChildFact] = field(default_factory=dict)  # its child runs, by name
    as_child: ChildFact | None = None  # the run itself, if it is a child
    jobs: dict[str, JobFact] = field(default_factory=dict)  # by name; from creates and live reads
    child_problems: dict[str, WriteProblem] = field(default_factory=dict)  # Jobs, Approvals, runs
    unanswered: dict[str, datetime] = field(default_factory=dict)  # by name of a child: since when
    write_problems: dict[str, WriteProblem] = field(default_factory=dict)  # NodeRecords, Approvals
    slots_to_free: dict[str, FreeSlot] = field(default_factory=dict)  # not freed yet, by name
    signals: Signals = NONE


def _is_current(body: Obj) -> bool:
    """Whether the status is one of the spec as it is now, and nobody deletes the run."""
    metadata, status = section(body, "metadata"), section(body, "status")
    current = status.get("observedGeneration") == metadata.get("generation")
    return current and "deletionTimestamp" not in metadata


def _has_ended(body: Obj) -> bool:
    return bool(section(body, "status").get("finishedAt")) and _is_current(body)


class RunCache:
    """Entries by run uid. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        self._entries: dict[str, RunEntry] = {}
        self._keys: dict[
            str, Key
        ] = {}  # of runs that exist, and of deleted runs with pods or Approvals left
        self._live: set[str] = set()  # uids of runs that are known to exist
        self._parsed = ParsedBodies()
        self.places = Places()

    def __len__(self) -> int:
        return len(self._live)

    def uids(self) -> list[str]:
        """The uids of all runs of which anything is cached."""
        return list(self._keys)

    def key_of(self, uid: str) -> Key | None:
        """The run with this uid, if the cache has its body."""
        return self._keys.get(uid) if uid in self._live else None

    def last_key(self, uid: str) -> Key | None:
        """The run with this uid, also if only children of it are cached."""
        return self._keys.get(uid)

    def remember(self, key: Key) -> None:
        """Add the key of a run of which so far only a child is cached."""
        self._keys.setdefault(key.uid, key)

    def entry(self, uid: str) -> RunEntry:
        """The entry of a run; a new, empty one when nothing is cached."""
        return self._entries.setdefault(uid, RunEntry())

    def put_run(self, body: Obj, *, own: bool = False) -> bool:
        """Put in a state of a run; False when this or a newer one is cached already.

        Args:
            body: The state.
            own: Nobody else has `body`, so that it may be kept as it is.
        """
        metadata = section(body, "metadata")
        key = Key(text(metadata, "namespace"), text(metadata, "name"), text(metadata, "uid"))
        claimed = self._keys.get(key.uid)
        if claimed is not None and claimed.namespace != key.namespace:
            self._entries.pop(key.uid, None)  # pods in another namespace had forged its uid
        entry = self.entry(key.uid)
        version = version_of(body)
        self._keys[key.uid] = key
        self._live.add(key.uid)
        slim = {k: v for k, v in metadata.items() if k != "managedFields"}
        kept = {**body, "metadata": slim}
        if entry.body is not None and version <= entry.version:
            if own and version == entry.version and not entry.ended:
                entry.body.adopt(kept)  # the watch was faster: it need not be parsed again
                self._parsed.put(key.uid, entry.body)
            return False
        is_ended = _has_ended(body)
        later = own and not is_ended
        self._parsed.drop(key.uid)
        entry.body = RunBody(kept, entry.body, later=later)
        entry.version = version
        entry.finished = bool(section(body, "status").get("finishedAt"))
        entry.ended = is_ended
        entry.urgent = not _is_current(body)
        entry.signals = signals(body)
        self.places.put(body)
        if later:
            self._parsed.put(key.uid, entry.body)
        self._put_child(entry, child_fact(body))
        return True

    def _put_child(self, entry: RunEntry, fact: ChildFact | None) -> None:
        """Note a state of a run as that of a child, in the entry of its parent."""
        before = entry.as_child
        if before is not None and (fact is None or fact.owner_uid != before.owner_uid):
            self._drop_child(before)
        entry.as_child = fact
        if fact is not None:
            self.entry(fact.owner_uid).children[fact.name] = fact

    def _drop_child(self, fact: ChildFact) -> None:
        parent = self._entries.get(fact.owner_uid)
        known = parent.children.get(fact.name) if parent is not None else None
        if parent is not None and known is not None and known.uid == fact.uid:
            del parent.children[fact.name]
            self._forget_if_empty(fact.owner_uid)

    def child(self, uid: str) -> ChildFact | None:
        """A run as its parent sees it; None if it is no child, or not cached."""
        entry = self._entries.get(uid)
        return entry.as_child if entry is not None else None

    def tree(self, uid: str) -> list[str]:
        """The uids of all cached runs of the tree of a run, its root first.

        Owner references may name each other in a circle: each run is visited once.
        """
        above = {uid: None}
        while (child := self.child(uid)) is not None and child.owner_uid not in above:
            uid = child.owner_uid
            above[uid] = None
        found, left = dict[str, None](), [uid]
        while left:
            one = left.pop()
            entry = self._entries.get(one)
            if one not in found and entry is not None:
                left += [fact.uid for fact in entry.children.values()]
            found[one] = None
        return list(found)

    def text(self, uid: str) -> str:
        """A cached run as JSON; "" when there is none."""
        entry = self._entries.get(uid)
        return (
            entry.body.text().join().decode()
            if entry is not None and entry.body is not None
            else ""
        )

    def active(self) -> int:
        """Number of cached runs without status.finishedAt."""
        return sum(not self.entry(uid).finished for uid in self._live)

    def signals(self) -> Iterator[Signals]:
        """The signals of the cached runs that have any."""
        found = (self.entry(uid).signals for uid in self._live)
        return (one for one in found if one != NONE)

    def ahead(self, key: Key, policy: NamespacePolicy | None) -> int | None:
        """How many runs are before one that has no place yet, if the policy limits them (S640)."""
        if policy is None or policy.max_runs is None:
            return None
        return self.places.ahead(key.namespace, key.uid)

    def has_ended(self, uid: str) -> bool:
        """Whether a run is finished, and its spec has not changed since: a pass can wait."""
        entry = self._entries.get(uid)
        return entry is not None and entry.ended

    def drop_run(self, uid: str) -> None:
        """Remove a run that no longer exists. Its pods stay cached, for they may need a release."""
        self._live.discard(uid)
        if uid in self._keys:
            self.places.drop(self._keys[uid].namespace, uid)
        entry = self._entries.get(uid)
        if entry is not None:
            entry.body, entry.version = None, 0
            entry.finished = entry.ended = False
            entry.signals = NONE
            self._parsed.drop(uid)
            if entry.as_child is not None:
                self._drop_child(entry.as_child)
                entry.as_child = None
            self._forget_if_empty(uid)

    def run_body(self, key: Key) -> Obj | None:
        """The newest cached body; None when there is none. It is shared: nobody may change it."""
        entry = self._entries.get(key.uid)
        return None if entry is None or entry.body is None else self._parsed.of(key.uid, entry.body)

    def put_pod(self, fact: PodFact, version: int) -> bool:
        """Put in a state of a pod; False when it says nothing new to the passes of its run."""
        known = self.entry(fact.run_uid).pods
        earlier = known.get(fact.uid)
        fact = following(fact, earlier)
        is_new = known.put(fact.uid, fact, version)
        return is_new and (earlier is None or not changes_nothing(fact, earlier))

    def drop_pod(self, run_uid: str, uid: str) -> None:
        """Remove a pod that no longer exists."""
        entry = self._entries.get(run_uid)
        if entry is not None:
            entry.pods.drop(uid)
            entry.events.pop(uid, None)
            self._forget_if_empty(run_uid)

    def put_approval(
        self, fact: ApprovalFact, run_uid: str, version: int, *, now: datetime
    ) -> bool:
        """Put in a state of an Approval, read at `now`; False when this or a newer one is cached
        already."""
        entry = self.entry(run_uid)
        fact = seen(fact, entry.approvals.get(fact.name), now)
        is_new = entry.approvals.put(fact.name, fact, version)
        entry.urgent = entry.urgent or (is_new and fact.answered_at is not None)
        return is_new

    def size(self, uid: str) -> int:
        """Bytes of the newest cached body of a run."""
        entry = self._entries.get(uid)
        return entry.body.size if entry is not None and entry.body is not None else 0

    def take_urgent(self, uid: str) -> bool:
        """Whether a person waits for the next pass of a run; once for each reason."""
        entry = self._entries.get(uid)
        urgent = entry is not None and entry.urgent
        if entry is not None:
            entry.urgent = False
        return urgent

    def drop_approval(self, run_uid: str, name: str) -> None:
        """Remove an Approval that no longer exists."""
        entry = self._entries.get(run_uid)
        if entry is not None:
            entry.approvals.drop(name)
            self._forget_if_empty(run_uid)

    def retain(
        self,
        namespace: str | None,
        *,
        runs: tuple[frozenset[str], int],
        pods: tuple[frozenset[str], int],
        approvals: tuple[frozenset[str], int],
    ) -> None:
        """Drop what complete lists do not contain, unless it is newer than its list.

        Args:
            namespace: What was listed; None for all namespaces.
            runs: The uids in the list of runs, and the resourceVersion of the list.
            pods: The same of pods.
            approvals: The same of Approvals.
        """
        for uid, key in list(self._keys.items()):
            if namespace is not None and key.namespace != namespace:
                continue
            entry = self.entry(uid)
            for pod in entry.pods.as_old_as(pods[1]):
                if pod not in pods[0]:
                    self.drop_pod(uid, pod)
            for name in entry.approvals.as_old_as(approvals[1]):
                if entry.approvals[name].uid not in approvals[0]:
                    self.drop_approval(uid, name)
            if uid not in runs[0] and entry.version <= runs[1]:
                self.drop_run(uid)

    def _forget_if_empty(self, uid: str) -> None:
        entry = self._entries.get(uid)
        kept = entry and (entry.pods or entry.approvals or entry.children)
        if uid not in self._live and entry and not kept:
            self._entries.pop(uid, None)
            self._keys.pop(uid, None)
