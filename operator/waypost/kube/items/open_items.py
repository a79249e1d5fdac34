"""The open items of a map as short texts in `status.nodes[].items.open`, and back.

`45 +12.25 r1 d2 u2 $5000/0.25/- #3fa9c1d2e0b7 ^<digest>-3 =RateLimited !Timeout @40.5 text` has

- the index;
- seconds after `items.at` at which the attempt was launched, or the question asked; of an item in
  backoff, at which the next one starts; of one that waits for a resource, until when;
- counters of retries, or the round of the question if it is later than the list; `p3` if attempt 3
  asked about tool calls, `p3.2` if round 2 asks again; `e1` if level 1 of an escalation is asked;
  how many attempts have reported their usage;
- the share of the budget in tokens, dollars and tool calls, and `<tokens` if it was too small;
- the identity; the slot of `concurrency` that its attempt holds; its child run and what that has
  used (`child_items`); the reason; why the attempt is being stopped; when it was first seen without
  a Job, or when the question expires;
- a message.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from waypost.api.items.states import ItemState, parsed_states
from waypost.api.items.status import ItemsStatus
from waypost.api.state.usage import Allotment, Usage
from waypost.api.status import AttemptStatus, NodePhase, NodeStatus
from waypost.kube import timestamps
from waypost.kube.items.child_items import (
    CHILD_PATTERN,
    ItemChild,
    child_text,
    from_child_text,
    from_used_text,
    used_text,
)
from waypost.kube.names import SLOT_PREFIX
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten
from waypost.protocol.work import SHARE

_PHASES: Final[dict[str, NodePhase]] = {
    "R": "Running",
    "X": "Superseding",
    "B": "Backoff",
    "H": "Pending",
    "W": "Waiting",
}
_LETTERS: Final[dict[str, Literal["R", "X", "B", "H", "W"]]] = {
    "Running": "R",
    "Superseding": "X",
    "Backoff": "B",
    "Pending": "H",
    "Waiting": "W",
}
_COUNTERS: Final = (("r", "retries"), ("d", "disruptions"), ("q", "provider_retries"))
_ALL_COUNTERS: Final = (*_COUNTERS, ("l", "launch_retries"))
_TEXT: Final = re.compile(
    r"(?P<index>\d+) \+(?P<at>-?[\d.]+)"
    + "".join(rf"(?: {letter}(?P<{name}>\d+))?" for letter, name in _ALL_COUNTERS)
    + r"(?: p(?P<parked>\d+)(?:\.(?P<asked>\d+))?)?(?: e(?P<level>\d+))?"
    + r"(?: u(?P<reported>\d+))?(?: \$(?P<share>[\d./-]+))?(?: <(?P<short>\w+))?"
    + r"(?: #(?P<identity>[0-9a-f]+))?(?: \^(?P<slot>[0-9a-f]+-\d+))?"
    + CHILD_PATTERN
    + r"(?: =(?P<reason>\w+))?(?: !(?P<stopping>\w+))?(?: @(?P<stopping_at>-?[\d.]+))?"
    + r"(?: (?P<message>.+))?",
    re.DOTALL,
)
# Parts of a text before the reason of the stop.
_BEFORE_STOP: Final = (
    *("at", *(name for _, name in _ALL_COUNTERS), "parked", "asked", "level"),
    *("reported", "share", "short", "identity", "slot", "child", "used", "reason"),
)
_SHORT: Final = re.compile(rf"{re.escape(SHARE)}\.(\w+): ")
_MESSAGE: Final = 60


@dataclass(frozen=True)
class Place:
    """What the texts of one map leave out.

    Attributes:
        path: Path of the map.
        round: Round of its attempts.
        at: The time from which seconds are counted.
        before: Number of the latest attempt before this list.
        deadline_at: Deadline of the map.
        repeats: How often rerun.from has named the map.
        job_of: Name of the Job of a path and an attempt.
        child_of: Name of the child run of a path and a generation.
        approval_of: Name of the Approval of a path, a round and a level of escalation.
    """

    path: str
    round: int | None
    at: datetime
    before: int
    deadline_at: str | None
    repeats: int | None
    job_of: Callable[[str, int], str]
    child_of: Callable[[str, int], str]
    approval_of: Callable[[str, int, int], str]

    def path_of(self, index: int) -> str:
        """The path of an item."""
        return f"{self.path}/{index}"

    def child_name(self, origin: int, generation: int) -> str:
        """The name of a child run that the item with index `origin` has started."""
        return self.child_of(self.path_of(origin), generation)


@dataclass(frozen=True)
class OpenItem:
    """An open item as its text has it.

    Attributes:
        index: Its index.
        status: Its status as that of a node.
        reported: How many of its attempts have reported their usage, which is that of the map.
        identity: Its identity, for the journal; "" for kinds without one.
        origin: The index of the item that has started its child run.
        seen: What its child run has used, as far as the usage of the map has it.
    """

    index: int
    status: NodeStatus
    reported: int = 0
    identity: str = ""
    origin: int | None = None
    seen: Usage | None = None


def fresh_item(place: Place, index: int, number: int = 0) -> NodeStatus:
    """The status of an item that has had `number` attempts of this list and runs none."""
    return NodeStatus(
        path=place.path_of(index),
        phase="Pending",
        round=place.round,
        attempt=(place.before + number) or None,
        deadline_at=place.deadline_at,
        repeats=place.repeats,
    )


def from_text(text: str, place: Place, states: list[ItemState]) -> OpenItem:
    """The open item of a text.

    Raises:
        ValueError: The text is not one that `to_text` gives, or its item is not open.
    """
    found = _TEXT.fullmatch(text)
    if found is None or int(found["index"]) >= len(states):
        raise ValueError(f"expected an open item of {place.path}, found {text!r}")
    index = int(found["index"])
    state = states[index]
    phase = _PHASES.get(state.letter)
    if phase is None:
        raise ValueError(f"item {index} of {place.path} is in state {state.letter}, and not open")
    moment = _moment(place, found["at"])
    counters = {name: int(found[name]) if found[name] else None for _, name in _ALL_COUNTERS}
    status = fresh_item(place, index, state.number).model_copy(
        update={**counters, "phase": phase, "reason": found["reason"], "message": found["message"]}
    )
    reported, identity = int(found["reported"] or 0), found["identity"] or ""
    if found["child"]:
        return _of_child(status, place, found, moment)
    if found["parked"]:
        status = status.model_copy(update={"parked": int(found["parked"])})
    if status.parked is not None and phase == "Waiting":
        return OpenItem(index, _parked(status, place, found, moment), reported, identity)
    if phase == "Waiting":
        return OpenItem(index, _asking(status, place, found, moment))
    if phase == "Backoff" or (phase == "Pending" and status.reason == Reason.MISSING_REFERENCE):
        status = status.model_copy(update={"wake_at": moment})
        return OpenItem(index, status, reported, identity)
    if attempts := _attempts(status, place, found, moment):
        status = status.model_copy(update={"attempts": attempts})
    if phase != "Pending":
        status = status.model_copy(update={"started_at": moment})
    return OpenItem(index, status, reported, identity)


def _asking(status: NodeStatus, place: Place, found: re.Match[str], moment: str) -> NodeStatus:
    """An item that waits for the answer of a person. Its question may be of a later round than the
    list (S460)."""
    expires, round_ = found["stopping_at"], int(found["retries"] or 0) or place.round
    level = int(found["level"] or 0)
    return status.model_copy(
        update={
            "approval": place.approval_of(status.path, round_ or 1, level),
            "level": level or None,
            "round": round_,
            "retries": None,
            "started_at": moment,
            "wake_at": _moment(place, expires) if expires else None,
        }
    )


def _parked(status: NodeStatus, place: Place, found: re.Match[str], moment: str) -> NodeStatus:
    """An item that waits until people have decided on tool calls of its last attempt. It may ask in
    a later round than that of the attempt."""
    expires, number = found["stopping_at"], status.parked or 1
    attempt = AttemptStatus(
        number=number,
        job=place.job_of(status.path, number),
        round=place.round,
        launched_at=moment,
        finished_at=moment,
        reason=str(Reason.AWAITING_APPROVAL),
    )
    return status.model_copy(
        update={
            "attempts": [attempt],
            "round": int(found["asked"]) if found["asked"] else place.round,
            "started_at": moment,
            "wake_at": _moment(place, expires) if expires else None,
        }
    )


def _of_child(status: NodeStatus, place: Place, found: re.Match[str], moment: str) -> OpenItem:
    """An open item with a child run: it runs, or continues once it may start."""
    share, seen = _share(found["share"]), from_used_text(found["used"])
    given = from_child_text(
        found["child"], place.child_name, stopping=found["stopping"], budget=share
    )
    changes = {"child": given.child, "input_digest": given.input_digest, "usage": seen}
    if status.phase != "Pending":
        changes["started_at"] = moment
    elif status.reason == Reason.MISSING_REFERENCE:
        changes["wake_at"] = moment
    status = status.model_copy(update=changes)
    return OpenItem(int(found["index"]), status, origin=given.origin, seen=seen)


def words_of(text: str) -> tuple[str | None, str | None]:
    """The reason in the text of an open item, and what the text keeps of its message."""
    found = _TEXT.fullmatch(text)
    return (found["reason"], found["message"]) if found is not None else (None, None)


def _attempts(
    status: NodeStatus, place: Place, found: re.Match[str], moment: str
) -> list[AttemptStatus]:
    """The attempt that runs, or whose share of the budget was too small, if there is one."""
    if status.attempt is None or (status.phase == "Pending" and not found["short"]):
        return []
    ended = status.phase == "Pending"
    attempt = AttemptStatus(
        number=status.attempt,
        job=place.job_of(status.path, status.attempt),
        round=place.round,
        launched_at=moment,
        allotment=_share(found["share"]),
        slot=f"{SLOT_PREFIX}{found['slot']}" if found["slot"] else None,
        stopping=found["stopping"],
        stopping_at=_moment(place, found["stopping_at"]) if found["stopping_at"] else None,
        finished_at=moment if ended else None,
        reason=str(Reason.BUDGET_EXCEEDED) if ended else None,
        message=f"{SHARE}.{found['short']}: it was too small" if ended else None,
    )
    return [attempt]


def to_text(item: OpenItem, place: Place, *, message: bool) -> str:
    """The text of an open item; `message`: also what it waits for, shortened."""
    status, attempt = item.status, item.status.open_attempt
    since = status.wake_at or status.started_at
    if attempt is not None:
        since = attempt.queued_until or attempt.launched_at
    since = status.started_at if status.phase == "Waiting" else since
    parts = [f"{item.index} +{_seconds(place, since)}"]
    parts += _shown_counters(status, place)
    if item.reported:
        parts.append(f"u{item.reported}")
    parts += _shown_share(status)
    if item.identity:
        parts.append(f"#{item.identity}")
    if attempt is not None and attempt.slot:
        parts.append(f"^{attempt.slot.removeprefix(SLOT_PREFIX)}")
    if status.child is not None:
        origin = item.index if item.origin is None else item.origin
        parts.append(child_text(ItemChild(origin, status.child, status.input_digest)))
        parts.append(used_text(item.seen))
    if status.reason:
        parts.append(f"={status.reason}")
    if stopping := is_stopping(status):
        parts.append(f"!{stopping}")
    until = attempt.stopping_at if attempt is not None else None
    until = status.wake_at if status.phase == "Waiting" else until
    if until:
        parts.append(f"@{_seconds(place, until)}")
    if message:
        parts.append(shown_message(status))
    return " ".join(part for part in parts if part)


def _shown_counters(status: NodeStatus, place: Place) -> list[str]:
    asks_later = status.phase == "Waiting" and status.round != place.round
    counts = ((letter, getattr(status, name)) for letter, name in _ALL_COUNTERS)
    shown = [f"{letter}{count}" for letter, count in counts if count]
    if status.parked is not None:
        return [*shown, f"p{status.parked}" + (f".{status.round}" if asks_later else "")]
    if status.level:
        shown.append(f"e{status.level}")
    return [f"r{status.round}", *shown] if asks_later else shown


def with_stop(text: str, reason: Reason) -> str:
    """The text of an open item whose attempt is stopped for `reason`, unless it is being stopped.

    Raises:
        ValueError: The text is not one that `to_text` gives.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"expected an open item, found {text!r}")
    if found["stopping"]:
        return text
    at = max(found.end(part) for part in _BEFORE_STOP)
    return f"{text[:at]} !{reason}{text[at:]}"


def is_running(status: NodeStatus) -> bool:
    """Whether the attempt or the child run of an item has not ended."""
    if status.child is not None:
        return status.phase in ("Running", "Superseding")
    return status.open_attempt is not None


def asks(items: ItemsStatus | None) -> bool:
    """Whether an item of a map waits for the answer of a person."""
    states = parsed_states((items and items.states) or "")
    return any(state.letter == "W" for state in states)


def is_stopping(status: NodeStatus) -> str | None:
    """Why the attempt or the child run of an item is being stopped; None if it is not."""
    attempt = status.open_attempt
    if attempt is not None:
        return attempt.stopping
    return status.child.stopping if status.child is not None else None


def shown_message(status: NodeStatus) -> str:
    """The message of an open item as its text keeps it."""
    # Of a message that begins like another part, the beginning would be read as that part.
    text = re.sub(r"^[rdqlupe](?=\d)", "", (status.message or "").strip().lstrip("=!@$<#^~%"))
    return shorten(text, _MESSAGE).strip()


def state_of(status: NodeStatus, before: int) -> ItemState:
    """The state of an open item."""
    return ItemState(_LETTERS[status.phase], (status.attempt or before) - before)


def _shown_share(status: NodeStatus) -> list[str]:
    """The share of the budget of the latest attempt if it runs, or if it was too small."""
    if status.child is not None:
        lent = status.child.budget
        return [_share_text(lent)] if lent is not None else []
    latest = status.latest_attempt
    if latest is None or latest.allotment is None:
        return []
    share = _share_text(latest.allotment)
    if latest.finished_at is None:
        return [share]
    short = _SHORT.match(latest.message or "")
    too_small = latest.reason == Reason.BUDGET_EXCEEDED and latest.number == status.attempt
    return [share, f"<{short[1]}"] if short and too_small and status.phase == "Pending" else []


def _share_text(share: Allotment) -> str:
    values = (share.tokens, share.cost_usd, share.tool_calls)
    return "$" + "/".join("-" if value is None else str(value) for value in values)


def _share(text: str | None) -> Allotment | None:
    if text is None:
        return None
    tokens, cost, calls = (None if part == "-" else part for part in text.split("/"))
    return Allotment(
        tokens=int(tokens) if tokens else None,
        costUSD=cost,
        tool_calls=int(calls) if calls else None,
    )


def _moment(place: Place, seconds: str) -> str:
    return timestamps.timestamp(place.at + timedelta(seconds=float(seconds)))


def _seconds(place: Place, moment: str | None) -> str:
    time = timestamps.parse_timestamp(moment) or place.at
    return f"{(time - place.at).total_seconds():.3f}".rstrip("0").rstrip(".")
