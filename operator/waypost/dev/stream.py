"""Answers in pieces: server-sent events, at the speed of the script."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waypost.dev.conversation import tokens_of

_PIECE: Final = 16  # characters: four tokens


@dataclass(frozen=True)
class Chunk:
    """One event. `text`: what of the answer is in it, which takes its time."""

    data: str
    event: str = ""
    text: str = ""

    def encode(self) -> bytes:
        head = f"event: {self.event}\n" if self.event else ""
        return f"{head}data: {self.data}\n\n".encode()

    def seconds(self, tokens_per_second: float | None) -> float:
        """How long the model takes for it."""
        return tokens_of(self.text) / tokens_per_second if tokens_per_second else 0.0


def pieces(text: str) -> Iterator[str]:
    """A text as a model would send it, bit by bit."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
