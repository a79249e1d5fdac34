"""One map while a pass computes its next status: its open items are nodes at paths `scan/3`.

So an item is watched, judged, retried and stopped by the same code as a node. Mutable; it exists
for one call of `decide`.
"""

from dataclasses import dataclass, field
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import changed_items, changed_node
from waypost.api.items.states import (
    ENDED,
    FAILED,
    NOT_STARTED,
    ItemState,
    format_states,
    parse_states,
)
from waypost.api.items.status import MAX_FAILURES, MAX_OPEN, ItemFailure, ItemsStatus
from waypost.api.nodes.artifacts import made_texts
from waypost.api.state.usage import Usage
from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.kube.items import open_items
from waypost.kube.items.child_items import child_of_kept, kept_child
from waypost.kube.items.marks import mark_of
from waypost.kube.items.open_items import OpenItem, Place
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_MESSAGES_SHOWN: Final = 8  # open items whose status keeps what they wait for
_FAILURE_TEXT: Final = 120
IDENTITY_SHOWN: Final = 12  # digits
_PAUSED: Final = frozenset(("Backoff", "Pending"))  # open, and without a running attempt
_ERROR_TEXT: Final = 240
_LARGEST_TEXTS: Final = 7 * 1024  # bytes; the entry of a map without results has at most 8 KiB


@dataclass
class OpenMap:
    """The items of one map.

    Attributes:
        items: As they are stored.
        place: What the texts of open items leave out.
        states: The state of each item that is not open, by index.
        open: The status of each open item, by index.
        keeps_outputs: Whether outputs of items are part of the map's output.
        has_journal: Whether attempts of an item continue a journal.
        reported: How many attempts of each open item have reported their usage.
        identities: The identity of each open item that has a journal.
        superseding: Whether a round has replaced its list.
        stored: The status of each open item as it is stored.
        origins: The index of the item that has started the child run of an open item.
        seen: What the child run of each open item has used, as far as the usage of the map has it.
    """

    items: ItemsStatus
    place: Place
    states: list[ItemState]
    open: dict[int, NodeStatus] = field(default_factory=dict)
    keeps_outputs: bool = True
    fresh: dict[int, JsonObject] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    failures: list[ItemFailure] = field(default_factory=list)
    size: int = 0
    facts: int = 0  # that its items have remembered
    doomed: str | None = None
    latest: int = 0  # the highest number of an attempt
    held: bool = False  # a NodeRecord that it needs cannot be written
    has_journal: bool = False
    reported: dict[int, int] = field(default_factory=dict)
    identities: dict[int, str] = field(default_factory=dict)
    superseding: bool = False
    stored: dict[int, NodeStatus] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    seen: dict[int, Usage] = field(default_factory=dict)
    content: JsonValue = None  # the stored list and identities; an Unavailable if it is gone

    @classmethod
    def of(cls, items: ItemsStatus, place: Place, *, keeps_outputs: bool) -> "OpenMap":
        """The map with these stored items, which must have states."""
        states = parse_states(items.states or "")
        opened = cls(
            items=items,
            place=place,
            states=states,
            keeps_outputs=keeps_outputs,
            fresh={int(index): end for index, end in (items.fresh or {}).items()},
            blocks=list(items.blocks or []),
            reasons=dict(items.reasons or {}),
            failures=list(items.failures or []),
            size=items.size or 0,
            facts=items.facts or 0,
            doomed=items.doomed,
        )
        for text in items.open or []:
            item = open_items.from_text(text, place, states)
            opened.open[item.index] = item.status
            opened.reported[item.index] = item.reported
            opened.identities[item.index] = item.identity
            if item.origin is not None:
                opened.origins[item.index] = item.origin
            if item.seen is not None:
                opened.seen[item.index] = item.seen
        opened.stored = dict(opened.open)
        opened.latest = place.before + max((state.number for state in states), default=0)
        return opened

    @property
    def total(self) -> int:
        """Number of items."""
        return len(self.states)

    @property
    def running(self) -> int:
        """Number of items whose attempt or child run has not ended."""
        return sum(open_items.is_running(status) for status in self.open.values())

    @property
    def asking(self) -> list[int]:
        """The items that wait for the answer of a person, by index."""
        return [index for index in sorted(self.open) if self.open[index].phase == "Waiting"]

    @property
    def has_ended(self) -> bool:
        """Whether every item has ended."""
        return not self.open and all(state.letter in ENDED for state in self.states)

    def count(self, letters: frozenset[str]) -> int:
        """Number of items that are not open, with one of these letters."""
        return sum(
            state.letter in letters for at, state in enumerate(self.states) if at not in self.open
        )

    @property
    def failed(self) -> int:
        """Number of failed items, from the states."""
        return self.count(FAILED)

    @property
    def waiting(self) -> int:
        """Number of items that have not started, or that wait for their next attempt."""
        paused = sum(status.phase in _PAUSED for status in self.open.values())
        return paused + self.count(frozenset("P"))

    @property
    def has_waiting(self) -> bool:
        """Whether an item has not started, or waits for its next attempt."""
        paused = any(status.phase in _PAUSED for status in self.open.values())
        return paused or self.next_not_started() is not None

    @property
    def has_held(self) -> bool:
        """Whether an item waits for a resource or for the budget; others would wait for it too."""
        return any(status.phase == "Pending" for status in self.open.values())

    @property
    def is_full(self) -> bool:
        """Whether no other item may begin, because of their number or the size of their texts."""
        if len(self.open) < MAX_OPEN // 2:
            return False
        items = self.status()
        texts = (items.states or "", *(items.open or ()), *(items.blocks or ()))
        size = sum(len(text) + 3 for text in texts)
        return len(self.open) >= MAX_OPEN or size > _LARGEST_TEXTS

    def take(self, index: int, status: NodeStatus) -> None:
        """Take the status of an open item as the pass has changed it; record its end."""
        self.latest = max(self.latest, status.attempt or 0)
        if status.phase not in FINAL_PHASES and not self._was_superseded(index, status):
            self.open[index] = status
            return
        self.open.pop(index, None)
        number = max((status.attempt or 0) - self.place.before, 0)
        match status.phase:
            case "Succeeded":
                self.states[index] = ItemState("S", number)
                if self.keeps_outputs:
                    self.fresh[index] = _result(status)
                self._keep_child(index, status)
            case "Failed":
                unknown = status.reason == Reason.UNKNOWN_EFFECT
                self.states[index] = ItemState("U" if unknown else "F", number)
                self._fail(index, status)
                self._keep_child(index, status)
            case _:
                self.states[index] = ItemState("C", number)

    def begun(self, index: int) -> NodeStatus:
        """The status of an item that starts, with the child run that it continues if it has one."""
        fresh = open_items.fresh_item(self.place, index)
        content = self.content if isinstance(self.content, dict) else {}
        kept = (content.get("children") or {}).get(str(index))
        if (found := child_of_kept(kept, self.place.child_name)) is None:
            return fresh
        given, used = found
        self.origins[index] = given.origin
        if used is not None:
            self.seen[index] = used
        return changed_node(fresh, child=given.child, usage=used)

    def identify(self, index: int) -> None:
        """Note the identity of an item that starts, for its journal."""
        if self.has_journal and isinstance(self.content, dict):
            self.identities[index] = mark_of(self.content, index)[:IDENTITY_SHOWN]

    def cancel_waiting(self) -> None:
        """End all items that have not started, and those that wait for their next attempt."""
        for index, state in enumerate(self.states):
            if index not in self.open and state.letter == "P":
                self.states[index] = ItemState("C")
        for index, status in list(self.open.items()):
            if status.phase in _PAUSED:
                self.open.pop(index)
                number = (status.attempt or self.place.before) - self.place.before
                self.states[index] = ItemState("C", number)

    def next_not_started(self) -> int | None:
        """The first item that has not started."""
        waiting = (
            at
            for at, state in enumerate(self.states)
            if state == NOT_STARTED and at not in self.open
        )
        return next(waiting, None)

    @property
    def fresh_size(self) -> int:
        """Bytes of the results that are in no block."""
        return len(ijson.canonical(self._fresh_json())) if self.fresh else 0

    def _fresh_json(self) -> dict[str, JsonValue]:
        return {str(index): self.fresh[index] for index in sorted(self.fresh)}

    def status(self) -> ItemsStatus:
        """The items as they are stored next."""
        states = list(self.states)
        for index, status in self.open.items():
            states[index] = open_items.state_of(status, self.place.before)
        texts, shown = [], 0
        for index in sorted(self.open):
            status = self.open[index]
            message = bool(status.message) and shown < _MESSAGES_SHOWN
            shown += message
            identity = self.identities.get(index, "") if self.has_journal else ""
            item = OpenItem(
                index,
                status,
                self.reported.get(index, 0),
                identity,
                self.origins.get(index),
                self.seen.get(index),
            )
            texts.append(open_items.to_text(item, self.place, message=message))
        return changed_items(
            self.items,
            states=format_states(states),
            open=texts or None,
            size=self.size or None,
            facts=self.facts or None,
            reasons=self.reasons or None,
            failures=self.failures or None,
            fresh=self._fresh_json() or None,
            blocks=self.blocks or None,
            doomed=self.doomed,
        )

    def _fail(self, index: int, status: NodeStatus) -> None:
        reason, message = status.reason or str(Reason.NODE_ERROR), status.message or ""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        text = shorten(message, _FAILURE_TEXT) or None
        failure = ItemFailure(index=index, reason=reason, message=text)
        ordered = sorted([*self.failures, failure], key=lambda known: known.index)
        self.failures = ordered[:MAX_FAILURES]
        self.fresh[index] = {"e": {"reason": reason, "message": shorten(message, _ERROR_TEXT)}}

    def _keep_child(self, index: int, status: NodeStatus) -> None:
        kept = kept_child(status, self.origins.get(index, index))
        if kept is not None:
            self.fresh[index] = {**self.fresh.get(index, {}), "c": kept}

    def _was_superseded(self, index: int, status: NodeStatus) -> bool:
        """Whether the last attempt or child run of a replaced list has ended."""
        if status.phase != "Pending" or not self.superseding:
            return False
        before, latest = self.open[index], status.latest_attempt
        superseded = latest is not None and latest.reason == Reason.SUPERSEDED
        return superseded or (before.child is not None and before.phase == "Superseding")


def retired(items: ItemsStatus) -> ItemsStatus:
    """What is left of the items of a node that has no list now: their attempts stay known."""
    return ItemsStatus(round=items.round, total=items.total)


def _result(status: NodeStatus) -> JsonObject:
    made: JsonObject = {"a": made_texts(status.artifacts)} if status.artifacts else {}
    if status.output_record is not None:
        return {"r": status.output_record, **made}
    return {"o": status.output, **made}
