"""Reads the end of the log of a container, however long the log is.

The API server cannot give the last bytes of a log: `limitBytes` counts from the first of the last
`tailLines`, so an answer that is full has their beginning. It is asked again for fewer lines until
they fit.
"""

from typing import Final, NamedTuple

from waypost.ports.cluster import Cluster

_LEAST: Final = 256 * 1024  # of a read
# The kubelet stores longer lines in pieces, and counts each piece as a line.
_LONGEST_LINE: Final = 16 * 1024 + 1


class LogEnd(NamedTuple):
    """The end of a log.

    Attributes:
        text: The last lines; a character that is cut at the beginning is left out.
        cut: Whether there are fewer lines than were asked for, because of the limit of bytes.
        more: Whether there may be older lines.
    """

    text: str
    cut: bool
    more: bool


async def read_log_end(
    cluster: Cluster,
    *,
    namespace: str,
    pod: str,
    container: str,
    lines: int,
    limit_bytes: int,
) -> LogEnd:
    """Read the end of a log: at most `lines` lines, and at most `limit_bytes` bytes.

    Raises:
        NotFound: The pod or its log does not exist (any more).
        ClusterError: The request failed.
    """
    size, tail = max(limit_bytes, _LEAST), lines
    while True:
        found = await cluster.read_log(
            namespace=namespace, pod=pod, container=container, tail_lines=tail, limit_bytes=size
        )
        if len(found) < size or tail <= 1:
            break
        tail = _fewer(tail, found.count(b"\n"), size)
    cut = tail < lines or len(found) > limit_bytes
    text = found[max(len(found) - limit_bytes, 0) :].decode("utf-8", "ignore")
    given = len(found.rstrip(b"\n").split(b"\n")) if found else 0
    return LogEnd(text, cut, cut or given >= lines)


def _fewer(tail: int, fitted: int, size: int) -> int:
    """How many lines to ask for if the first `fitted` of `tail` lines filled `size` bytes."""
    fewer = max(min(tail // 2, fitted * 3 // 4), size // _LONGEST_LINE)
    return fewer if fewer < tail else tail // 2
