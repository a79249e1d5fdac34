"""The states of the items of a map as one short text: `S*37 F S*4 R*3 P*955`.

A token is a letter, the number of the item's latest attempt in this list, and `*count` for a run of
equal items. The number is left out when it is the usual one: 1 for letters with an attempt, else 0.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final, Literal, get_args

Letter = Literal["P", "R", "X", "B", "H", "W", "S", "F", "U", "C"]

# P: not started. R: its attempt is recorded and has not ended. X: the same, of a list that a round
# has replaced. B: waits for its next attempt. H: waits for a resource that does not exist, or for
# budget that other attempts have reserved. W: waits for the answer of a person.
# Each item in R, X, B, H or W is open: it has one entry in `open`.
# S: Succeeded. F: Failed. U: failed with UnknownEffect. C: Cancelled.
LETTERS: Final[frozenset[str]] = frozenset(get_args(Letter))
IN_POD: Final = frozenset("RX")
FAILED: Final = frozenset("FU")
ENDED: Final = frozenset("SFUC")
_WITHOUT_ATTEMPT: Final = frozenset("PCHW")
_TOKEN: Final = re.compile(r"([A-Z])([1-9][0-9]{0,3})?(0)?(?:\*([1-9][0-9]{0,3}))?")
MAX_ITEMS: Final = 1000
MAX_QUESTIONS: Final = 100  # items of a map whose items ask people


@dataclass(frozen=True)
class ItemState:
    """The state of one item.

    Attributes:
        letter: One of LETTERS.
        number: How many attempts it has had of this list.
    """

    letter: Letter
    number: int = 0


NOT_STARTED: Final = ItemState("P")


def format_states(states: Iterable[ItemState]) -> str:
    """The text of `states`; the inverse of `parse_states`."""
    tokens = []
    for state, group in groupby(states):
        usual = 0 if state.letter in _WITHOUT_ATTEMPT else 1
        number = "" if state.number == usual else str(state.number)
        count = sum(1 for _ in group)
        tokens.append(f"{state.letter}{number}" + (f"*{count}" if count > 1 else ""))
    return " ".join(tokens)


def parse_states(text: str) -> list[ItemState]:
    """The states of all items, in order, as a new list.

    Raises:
        ValueError: `text` is not a list of tokens, or has more than MAX_ITEMS items.
    """
    return list(parsed_states(text))


@lru_cache(maxsize=32)
def parsed_states(text: str) -> tuple[ItemState, ...]:
    """As `parse_states`. The latest texts are kept, because a pass asks for each pod of a map."""
    states: list[ItemState] = []
    for token in text.split():
        states += _items_of(token)
        if len(states) > MAX_ITEMS:
            raise ValueError(f"expected at most {MAX_ITEMS} items, found {len(states)}")
    return tuple(states)


def _items_of(token: str) -> list[ItemState]:
    found = _TOKEN.fullmatch(token)
    if found is None or found[1] not in LETTERS or (found[2] and found[3]):
        raise ValueError(f"expected a state such as S or P*10, found {token!r}")
    letter: Letter = found[1]  # type: ignore[assignment]
    usual = 0 if letter in _WITHOUT_ATTEMPT else 1
    number = int(found[2]) if found[2] else 0 if found[3] else usual
    return [ItemState(letter, number)] * int(found[4] or 1)
