"""`waypost logs`: the output of the right pod, or why there is no output."""

import pytest
from waypost.api.meta import LABEL_ATTEMPT
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api
from tests.cli.runs import NAMESPACE, run, serve

Captured = pytest.CaptureFixture[str]
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def pods(api: Api, *attempts: int) -> None:
    """A pod for each attempt, which has printed its number."""
    serve(api, run())
    items = [
        {"metadata": {"name": f"p-{number}", "labels": {LABEL_ATTEMPT: str(number)}}}
        for number in attempts
    ]
    api.items(PODS, *items)
    for number in attempts:
        api.put(f"{PODS}/p-{number}/log", {"attempt": number})


def test_the_latest_attempt(api: Api, capsys: Captured) -> None:
    pods(api, 2, 10, 9)
    assert main(["logs", "notes", "draft", "--tail", "7"]) == 0
    assert '"attempt": 10' in capsys.readouterr().out
    path, query = api.asked[-1]
    assert path == f"{PODS}/p-10/log"
    assert query["tailLines"] == ["7"]
    assert api.asked[-2][1]["labelSelector"] == ["waypost.dev/run=uid-1,waypost.dev/node=draft"]


def test_a_named_attempt(api: Api, capsys: Captured) -> None:
    pods(api, 3)
    assert main(["logs", "notes", "draft", "--attempt", "3"]) == 0
    assert api.asked[-2][1]["labelSelector"][0].endswith("waypost.dev/attempt=3")


@pytest.mark.parametrize(
    ("node", "reported"),
    [
        pytest.param(
            "drfat", "no node 'drfat' in notes; its nodes are: draft, review", id="no-node"
        ),
        pytest.param("review", "no pod found for review", id="no-pod"),
    ],
)
def test_nothing_to_print(api: Api, capsys: Captured, node: str, reported: str) -> None:
    pods(api)
    assert main(["logs", "notes", node]) == Exit.NOT_FOUND
    assert reported in capsys.readouterr().err


def test_a_compensation(api: Api, capsys: Captured) -> None:
    pods(api, 1)
    found = run()
    undo = {"path": "draft/compensate", "phase": "Failed", "stage": "Compensating"}
    found["status"]["nodes"].append(undo)
    serve(api, found)
    assert main(["logs", "notes", "draft/compensate"]) == 0
    assert '"attempt": 1' in capsys.readouterr().out
    selector = "waypost.dev/run=uid-1,waypost.dev/node=draft.compensate"
    assert api.asked[-2][1]["labelSelector"] == [selector]
