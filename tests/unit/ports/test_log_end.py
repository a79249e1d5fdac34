"""S630: the end of a log is its end, however long the log and its lines are."""

import re
from pathlib import Path
from typing import Any, Final, cast

import pytest
import waypost
from waypost.ports.cluster import Cluster
from waypost.ports.log_end import LogEnd, read_log_end

from tests.support.kubelet_log import part

KIB: Final = 1024


class Kubelet:
    """Has one log, and counts what is read of it."""

    def __init__(self, log: bytes) -> None:
        self.log = log
        self.reads: list[int] = []

    async def read_log(self, *, tail_lines: int, limit_bytes: int, **_: Any) -> bytes:
        found = part(self.log, tail_lines=tail_lines, limit_bytes=limit_bytes)
        self.reads.append(len(found))
        return found


async def end_of(log: bytes, *, lines: int, limit_bytes: int) -> tuple[LogEnd, Kubelet]:
    kubelet = Kubelet(log)
    found = await read_log_end(
        cast(Cluster, kubelet),
        namespace="n",
        pod="p",
        container="node",
        lines=lines,
        limit_bytes=limit_bytes,
    )
    return found, kubelet


def numbered(count: int, size: int) -> bytes:
    return b"".join(b"%06d %s\n" % (number, b"x" * (size - 8)) for number in range(count))


SHORT, LONG = numbered(2000, 100), numbered(5000, 1000)

LOGS = [
    pytest.param(LONG, id="long"),
    pytest.param(SHORT + numbered(2000, 4000), id="long-lines-at-the-end"),
    pytest.param(numbered(2000, 4000) + SHORT, id="long-lines-at-the-beginning"),
    pytest.param(numbered(40, 100 * KIB), id="lines-in-pieces"),
    pytest.param(b"y" * 3_000_000, id="no-end-of-a-line"),
    pytest.param(b"first\n" + b"y" * 3_000_000 + b"\nlast\n", id="one-huge-line"),
    pytest.param(LONG.replace(b"x", b"\xff"), id="not-utf-8"),
    pytest.param(("é" * 700 + "\n").encode() * 4000, id="other-characters"),
]


@pytest.mark.parametrize("limit", [1000, 50 * KIB, 256 * KIB, 1024 * KIB])
@pytest.mark.parametrize("log", LOGS)
async def test_s630_the_end(log: bytes, limit: int) -> None:
    found, kubelet = await end_of(log, lines=5000, limit_bytes=limit)
    assert found.text
    assert log.decode("utf-8", "ignore").endswith(found.text)
    assert len(found.text.encode()) <= limit
    assert found.cut
    assert found.more
    assert sum(kubelet.reads) <= 14 * max(limit, 256 * KIB), "what it costs is bounded"


@pytest.mark.parametrize("limit", [50 * KIB, 256 * KIB, 1024 * KIB])
async def test_s630_lines_of_one_size_fill_half_of_the_limit(limit: int) -> None:
    found, kubelet = await end_of(LONG, lines=5000, limit_bytes=limit)
    assert len(found.text) >= limit // 2
    assert len(kubelet.reads) <= 2


@pytest.mark.parametrize(
    ("log", "lines", "expected"),
    [
        pytest.param(b"", 5, LogEnd("", cut=False, more=False), id="empty"),
        pytest.param(b"a\nb\n", 5, LogEnd("a\nb\n", cut=False, more=False), id="all"),
        pytest.param(b"a\nb\nc", 2, LogEnd("b\nc", cut=False, more=True), id="an-open-line"),
        pytest.param(b"a\nb\nc\n", 2, LogEnd("b\nc\n", cut=False, more=True), id="older-lines"),
    ],
)
async def test_s630_a_short_log(log: bytes, lines: int, expected: LogEnd) -> None:
    found, kubelet = await end_of(log, lines=lines, limit_bytes=100 * KIB)
    assert found == expected
    assert len(kubelet.reads) == 1


def test_s630_nothing_else_reads_the_end_of_a_log() -> None:
    """Other code would get the beginning of the tail."""
    root = Path(waypost.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\.read_log\(", path.read_text())
    }
    assert found == {"ports/log_end.py", "runtime/writes/rate_limit.py"}
