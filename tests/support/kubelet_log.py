"""A log as a kubelet gives it."""

from typing import Final

PIECE: Final = 16 * 1024  # of a longer line


def part(log: bytes, *, tail_lines: int, limit_bytes: int) -> bytes:
    """The first `limit_bytes` of the last `tail_lines`; each piece of a long line is a line."""
    lines = log.splitlines(keepends=True)
    pieces = [line[at : at + PIECE] for line in lines for at in range(0, len(line), PIECE)]
    return b"".join(pieces[-tail_lines:])[:limit_bytes]
