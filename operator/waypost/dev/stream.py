"""Streams answers as server-sent events, at the speed of the script."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waypost.dev.conversation import tokens_of

_PIECE: Final = 16  # characters: four tokens


@dataclass(frozen=True)
class Chunk:
    """One event. `text`: its part of the answer, which determines how long it takes."""

    data: str
    event: str = ""
    text: str = ""

    def encode(self) -> bytes:
        """The event in the format of server-sent events."""
        head = f"event: {self.event}\n" if self.event else ""
        return f"{head}data: {self.data}\n\n".encode()

    def seconds(self, tokens_per_second: float | None) -> float:
        """Seconds that the model takes for it."""
        return tokens_of(self.text) / tokens_per_second if tokens_per_second else 0.0


def pieces(text: str) -> Iterator[str]:
    """Split a text as a model would stream it."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
