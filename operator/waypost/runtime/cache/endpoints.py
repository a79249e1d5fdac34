"""The ModelProviders and ToolServers that the watch has told of, and the runs that wait for one.

A cache like the store: that a name is not in it says nothing until a complete list was put in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.provider import ModelProviderSpec
from waypost.api.status import AgentWorkflowStatus
from waypost.api.toolserver import ToolServerSpec
from waypost.ports.cluster import Kind, Listing, Obj
from waypost.probes.subject import Subject, SubjectKind, subject
from waypost.protocol.reasons import Reason
from waypost.runtime.cache.runs import Key, version_of

PROBED: Final[Mapping[Kind, SubjectKind]] = {
    Kind.MODEL_PROVIDER: "ModelProvider",
    Kind.TOOL_SERVER: "ToolServer",
}


@dataclass(frozen=True)
class SubjectKey:
    """One object: kind, namespace and name for the API, uid because names come back."""

    kind: Kind
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class _Entry:
    subject: Subject
    version: int


class EndpointCache:
    """Subjects by key. Not thread-safe: it lives on the event loop."""

    def __init__(self) -> None:
        self._entries: dict[SubjectKey, _Entry] = {}
        self._waiting: dict[str, set[Key]] = {}  # by namespace

    def take(self, kind: Kind, raw: Obj, *, deleted: bool = False) -> SubjectKey | None:
        """Take a state of an object; its key if that tells something new."""
        found = subject(PROBED[kind], raw)
        if found is None:
            return None
        key = _key(kind, found)
        if deleted:
            return key if self._entries.pop(key, None) else None
        return key if self._put(key, _Entry(found, version_of(raw))) else None

    def replace(self, kind: Kind, namespace: str | None, listing: Listing) -> None:
        """Take a complete list: what it no longer has is dropped, unless it is newer."""
        listed = listing.resource_version
        until = int(listed) if listed.isdecimal() else 0
        present: set[SubjectKey] = set()
        for raw in listing.items:
            if (found := subject(PROBED[kind], raw)) is not None:
                present.add(_key(kind, found))
                self._put(_key(kind, found), _Entry(found, version_of(raw)))
        for key, entry in list(self._entries.items()):
            covered = key.kind is kind and namespace in (None, key.namespace)
            if covered and key not in present and entry.version <= until:
                del self._entries[key]

    def drop(self, key: SubjectKey) -> None:
        """The object is gone."""
        self._entries.pop(key, None)

    def known(self) -> list[SubjectKey]:
        """Every object that is known."""
        return list(self._entries)

    def subject(self, key: SubjectKey) -> Subject | None:
        """The newest known state of an object."""
        entry = self._entries.get(key)
        return entry.subject if entry else None

    def providers(self, namespace: str) -> dict[str, ModelProviderSpec | None]:
        """The ModelProviders of a namespace by name; None where the models refuse one."""
        found = self._in(Kind.MODEL_PROVIDER, namespace)
        return {s.name: s.spec for s in found if not isinstance(s.spec, ToolServerSpec)}

    def servers(self, namespace: str) -> dict[str, ToolServerSpec | None]:
        """The ToolServers of a namespace by name; None where the models refuse one."""
        found = self._in(Kind.TOOL_SERVER, namespace)
        return {s.name: s.spec for s in found if not isinstance(s.spec, ModelProviderSpec)}

    def note(self, run: Key, status: AgentWorkflowStatus) -> None:
        """Remember whether a run waits for something that is missing."""
        waits = any(
            node.phase == "Pending" and node.reason == Reason.MISSING_REFERENCE
            for node in status.nodes
        )
        if waits:
            self._waiting.setdefault(run.namespace, set()).add(run)
        else:
            self.forget(run)

    def forget(self, run: Key) -> None:
        """A run waits no longer, or is gone."""
        runs = self._waiting.get(run.namespace)
        if runs is not None:
            runs.discard(run)
            if not runs:
                del self._waiting[run.namespace]

    def waiting(self, namespace: str) -> list[Key]:
        """The runs of a namespace that wait for something that is missing."""
        return sorted(self._waiting.get(namespace, ()))

    def _put(self, key: SubjectKey, entry: _Entry) -> bool:
        known = self._entries.get(key)
        if known is not None and entry.version <= known.version:
            return False
        self._entries[key] = entry
        return True

    def _in(self, kind: Kind, namespace: str) -> list[Subject]:
        return [
            entry.subject
            for key, entry in self._entries.items()
            if key.kind is kind and key.namespace == namespace and not entry.subject.deleting
        ]


def _key(kind: Kind, found: Subject) -> SubjectKey:
    return SubjectKey(kind, found.namespace, found.name, found.uid)
