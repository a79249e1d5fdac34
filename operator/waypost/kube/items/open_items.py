"""The open items of a map as short texts in `status.nodes[].items.open`, and back.

`45 +12.25 r1 d2 =RateLimited !Timeout @40.5 text`: index; seconds after `items.at` at which the
attempt was launched (or, for an item in backoff, at which the next one starts); counters of
retries; reason; why the attempt is being stopped; when it was first seen without a Job; message.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from waypost.api.items.states import ItemState
from waypost.api.status import AttemptStatus, NodePhase, NodeStatus
from waypost.kube import timestamps
from waypost.protocol.text import shorten

_PHASES: Final[dict[str, NodePhase]] = {"R": "Running", "X": "Superseding", "B": "Backoff"}
_LETTERS: Final[dict[str, Literal["R", "X", "B"]]] = {
    "Running": "R",
    "Superseding": "X",
    "Backoff": "B",
}
_COUNTERS: Final = (("r", "retries"), ("d", "disruptions"), ("q", "provider_retries"))
_ALL_COUNTERS: Final = (*_COUNTERS, ("l", "launch_retries"))
_TEXT: Final = re.compile(
    r"(?P<index>\d+) \+(?P<at>-?[\d.]+)"
    + "".join(rf"(?: {letter}(?P<{name}>\d+))?" for letter, name in _ALL_COUNTERS)
    + r"(?: =(?P<reason>\w+))?(?: !(?P<stopping>\w+))?(?: @(?P<stopping_at>-?[\d.]+))?"
    + r"(?: (?P<message>.+))?",
    re.DOTALL,
)
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
    """

    path: str
    round: int | None
    at: datetime
    before: int
    deadline_at: str | None
    repeats: int | None
    job_of: Callable[[str, int], str]

    def path_of(self, index: int) -> str:
        """The path of an item."""
        return f"{self.path}/{index}"


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


def from_text(text: str, place: Place, states: list[ItemState]) -> tuple[int, NodeStatus]:
    """The index of an open item, and its status as that of a node.

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
    if phase == "Backoff":
        return index, status.model_copy(update={"wake_at": moment})
    number = place.before + state.number
    attempt = AttemptStatus(
        number=number,
        job=place.job_of(status.path, number),
        round=place.round,
        launched_at=moment,
        stopping=found["stopping"],
        stopping_at=_moment(place, found["stopping_at"]) if found["stopping_at"] else None,
    )
    return index, status.model_copy(update={"attempts": [attempt], "started_at": moment})


def to_text(index: int, status: NodeStatus, place: Place, *, message: bool) -> str:
    """The text of an open item; `message`: also what it waits for, shortened."""
    attempt = status.open_attempt
    since = attempt.launched_at if attempt is not None else status.wake_at
    parts = [f"{index} +{_seconds(place, since)}"]
    for letter, name in _ALL_COUNTERS:
        if count := getattr(status, name):
            parts.append(f"{letter}{count}")
    if status.reason:
        parts.append(f"={status.reason}")
    if attempt is not None and attempt.stopping:
        parts.append(f"!{attempt.stopping}")
    if attempt is not None and attempt.stopping_at:
        parts.append(f"@{_seconds(place, attempt.stopping_at)}")
    if message:
        parts.append(shown_message(status))
    return " ".join(part for part in parts if part)


def shown_message(status: NodeStatus) -> str:
    """The message of an open item as its text keeps it."""
    # Of a message that begins like another part, the beginning would be read as that part.
    text = re.sub(r"^[rdql](?=\d)", "", (status.message or "").strip().lstrip("=!@"))
    return shorten(text, _MESSAGE).strip()


def state_of(status: NodeStatus, before: int) -> ItemState:
    """The state of an open item."""
    return ItemState(_LETTERS[status.phase], (status.attempt or before) - before)


def _moment(place: Place, seconds: str) -> str:
    return timestamps.timestamp(place.at + timedelta(seconds=float(seconds)))


def _seconds(place: Place, moment: str | None) -> str:
    time = timestamps.parse_timestamp(moment) or place.at
    return f"{(time - place.at).total_seconds():.3f}".rstrip("0").rstrip(".")
