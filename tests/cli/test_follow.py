"""`waypost logs -f`: each line once, across attempts, to the end of the node."""

from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.connection.log_lines import NewLines

from tests.cli.conftest import Api
from tests.cli.runs import NAMESPACE, RUN_PATH, run

Captured = pytest.CaptureFixture[str]
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest.mark.parametrize(
    ("reads", "lines"),
    [
        pytest.param(["t1 a\nt2 b\n", "t2 b\nt3 c\n"], ["a\nb\n", "c\n"], id="a-second-again"),
        pytest.param(["t1 a\nt1 b\n", "t1 a\nt1 b\nt1 c\n"], ["a\nb\n", "c\n"], id="same-time"),
        pytest.param(["t1 a\n", "t1 a\n"], ["a\n", ""], id="nothing-new"),
        pytest.param(["", "t1 \n"], ["", "\n"], id="empty-line"),
    ],
)
def test_each_line_comes_once(reads: list[str], lines: list[str]) -> None:
    new = NewLines()
    assert [new.take(read) for read in reads] == lines


def pod(attempt: int, *, phase: str) -> dict[str, Any]:
    labels = {"waypost.dev/run": "uid-1", "waypost.dev/attempt": str(attempt)}
    metadata = {"name": f"p{attempt}", "uid": f"p{attempt}", "labels": labels}
    return {"metadata": metadata, "status": {"phase": phase}, "spec": {"nodeName": "m"}}


def state(phase: str) -> dict[str, Any]:
    return run(nodes=[{"path": "draft", "phase": phase, "attempt": 1}])


def test_a_node_is_followed_to_its_end(
    api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"p1": "2026-01-01T00:00:01Z one\n", "p2": "2026-01-01T00:00:09Z two\n"}
    api.texts = {f"{PODS}/{name}/log": text for name, text in texts.items()}
    steps = [
        (state("Running"), [pod(1, phase="Running")]),
        (state("Backoff"), [pod(1, phase="Failed")]),
        (state("Running"), [pod(1, phase="Failed"), pod(2, phase="Running")]),
        (state("Succeeded"), [pod(1, phase="Failed"), pod(2, phase="Succeeded")]),
    ]

    def step() -> None:
        found, pods = steps.pop(0)
        api.put(RUN_PATH, found)
        api.items(PODS, *pods)

    async def pause(seconds: float) -> None:
        step()

    step()
    monkeypatch.setattr("waypost.cli.connection.log_lines.asyncio.sleep", pause)
    assert main(["logs", "notes", "draft", "-f"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "one\ntwo\n"
    assert shown.err == "attempt 2\n"
    assert steps == []
