"""The ModelProviders and ToolServers that the watch delivered, and the runs that wait for one.

A cache: that a name is not in it proves nothing, except right after a complete list was put in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.provider import ModelProviderSpec
from waypost.api.status import FINAL_PHASES, AgentWorkflowStatus, NodeStatus
from waypost.api.toolserver import ToolServerSpec
from waypost.api.wire.memo import Memo
from waypost.kube.items.open_items import words_of
from waypost.ports.cluster import Kind, Listing, Obj
from waypost.probes.subject import Subject, SubjectKind, subject
from waypost.protocol.reasons import Reason
from waypost.runtime.cache.newest import Newest, version_of, version_of_list
from waypost.runtime.cache.runs import Key

PROBED: Final[Mapping[Kind, SubjectKind]] = {
    Kind.MODEL_PROVIDER: "ModelProvider",
    Kind.TOOL_SERVER: "ToolServer",
}


@dataclass(frozen=True)
class SubjectKey:
    """One object: kind, namespace and name for requests, uid because a name may be used again."""

    kind: Kind
    namespace: str
    name: str
    uid: str


class EndpointCache:
    """Subjects by key. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        self._subjects: Newest[SubjectKey, Subject] = Newest()
        self._waiting: dict[str, set[Key]] = {}  # by namespace

    def take(self, kind: Kind, raw: Obj, *, deleted: bool = False) -> SubjectKey | None:
        """Put in a state of an object.

        Args:
            kind: MODEL_PROVIDER or TOOL_SERVER.
            raw: The object's body.
            deleted: The watch reported that the object is gone.

        Returns:
            Its key, if the state is newer than the cached one.
        """
        state = subject(PROBED[kind], raw)
        if state is None:
            return None
        key = _key(kind, state)
        if deleted:
            known = key in self._subjects
            self._subjects.drop(key)
            return key if known else None
        return key if self._subjects.put(key, state, version_of(raw)) else None

    def replace(self, kind: Kind, namespace: str | None, listing: Listing) -> None:
        """Put in a complete list, and drop what it does not contain.

        Args:
            kind: MODEL_PROVIDER or TOOL_SERVER.
            namespace: What was listed; None for all namespaces.
            listing: The list. Cached states that are newer than it stay.
        """
        present: set[SubjectKey] = set()
        for raw in listing.items:
            if (state := subject(PROBED[kind], raw)) is not None:
                present.add(_key(kind, state))
                self._subjects.put(_key(kind, state), state, version_of(raw))
        self._subjects.retain(
            present,
            version_of_list(listing),
            lambda key: key.kind is kind and namespace in (None, key.namespace),
        )

    def drop(self, key: SubjectKey) -> None:
        """Remove an object that no longer exists."""
        self._subjects.drop(key)

    def known(self) -> list[SubjectKey]:
        """The keys of all cached objects."""
        return list(self._subjects)

    def subject(self, key: SubjectKey) -> Subject | None:
        """The newest cached state of an object; None when there is none."""
        return self._subjects.get(key)

    def providers(self, namespace: str) -> dict[str, ModelProviderSpec | None]:
        """The ModelProviders of a namespace: name to spec, None if the spec is invalid."""
        subjects = self._in(Kind.MODEL_PROVIDER, namespace)
        return {s.name: s.spec for s in subjects if not isinstance(s.spec, ToolServerSpec)}

    def servers(self, namespace: str) -> dict[str, ToolServerSpec | None]:
        """The ToolServers of a namespace: name to spec, None if the spec is invalid."""
        subjects = self._in(Kind.TOOL_SERVER, namespace)
        return {s.name: s.spec for s in subjects if not isinstance(s.spec, ModelProviderSpec)}

    def note(self, run: Key, status: AgentWorkflowStatus) -> None:
        """Remember whether a run waits for an object that does not exist (yet)."""
        if _any_waits(status):
            self._waiting.setdefault(run.namespace, set()).add(run)
        else:
            self.forget(run)

    def forget(self, run: Key) -> None:
        """Remember that a run does not wait, or is gone."""
        runs = self._waiting.get(run.namespace)
        if runs is not None:
            runs.discard(run)
            if not runs:
                del self._waiting[run.namespace]

    def waiting(self, namespace: str) -> list[Key]:
        """The runs of a namespace that wait for an object that does not exist (yet)."""
        return sorted(self._waiting.get(namespace, ()))

    def _in(self, kind: Kind, namespace: str) -> list[Subject]:
        return [
            state
            for key, state in self._subjects.items()
            if key.kind is kind and key.namespace == namespace and not state.deleting
        ]


def _waits(node: NodeStatus) -> bool:
    """Whether a node, or an item of a map, waits for an object."""
    opened = (node.items.open or ()) if node.items is not None else ()
    waiting = node.phase == "Pending" and node.reason == Reason.MISSING_REFERENCE
    return waiting or any(words_of(one)[0] == Reason.MISSING_REFERENCE for one in opened)


_any_waits: Final[Memo[AgentWorkflowStatus, bool]] = Memo(
    lambda status: any(_waits(node) for node in status.nodes if node.phase not in FINAL_PHASES)
)


def _key(kind: Kind, state: Subject) -> SubjectKey:
    return SubjectKey(kind, state.namespace, state.name, state.uid)
