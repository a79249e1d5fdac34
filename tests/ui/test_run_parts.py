"""What a new round would do, how two runs differ, the log of a node: as the server answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from waypost.ui.server import Options

from tests.ui import failures, samples
from tests.ui.kubernetes import Kubernetes, Obj
from tests.ui.place import Place, place

RUN = f"/api/runs/demo/{failures.NAME}"


@pytest.fixture
def kubernetes() -> Kubernetes:
    found = Kubernetes()
    found.put("agentworkflows", samples.triage())
    found.put("agentworkflows", failures.failed())
    found.put("noderecords", failures.kept_log())
    return found


@pytest.fixture
async def served(kubernetes: Kubernetes, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(kubernetes, tmp_path) as found:
        yield found


def actions(shown: Obj) -> dict[str, str]:
    return {node["path"]: node["action"] for node in shown["nodes"]}


async def test_a_preview_changes_nothing(served: Place) -> None:
    before = served.kubernetes.version
    status, shown = await served.get(f"{RUN}/rerun")
    assert status == 200
    assert shown["round"] == 2
    assert shown["problems"] == []
    assert actions(shown) == {
        "classify": "keep",
        "invoices": "keep",
        "handbook": "keep",
        "draft_reply": "run",
        "approve_refund": "run",
        "refund": "run",
        "send_reply": "run",
        "report": "run",
    }
    assert served.kubernetes.version == before


@pytest.mark.parametrize(
    ("query", "node", "action"),
    [
        ("from=classify", "classify", "run"),
        ("skip=draft_reply", "draft_reply", "skip"),
        ("from=classify&from=invoices", "invoices", "run"),
    ],
)
async def test_a_preview_of_chosen_nodes(served: Place, query: str, node: str, action: str) -> None:
    _, shown = await served.get(f"{RUN}/rerun?{query}")
    assert actions(shown)[node] == action


async def test_a_preview_of_a_round_that_would_be_rejected(served: Place) -> None:
    status, shown = await served.get(f"{RUN}/rerun?from=nothing")
    assert status == 200
    assert shown["nodes"] == []
    assert "there is no node 'nothing'" in shown["problems"][0]


def remembering() -> Obj:
    """The failed run, with a memory that it has read."""
    body = failures.failed()
    body["spec"]["memory"] = {"key": "acme"}
    known = {"scope": "triage", "key": "acme", "digest": "sha256:0", "record": "m"}
    body["status"]["memory"] = {**known, "episodes": 1, "facts": 2}
    return body


def operator(kind: str, body: Obj) -> Obj | None:
    """Begins the round that is requested."""
    wanted = body["spec"].get("rerun", {}).get("round", 1)
    if kind != "agentworkflows" or body["status"]["round"] >= wanted:
        return None
    return {**body, "status": {**body["status"], "round": wanted, "phase": "Running"}}


async def test_s666_a_round_in_the_name_of_the_user(served: Place) -> None:
    served.kubernetes.on_patch = operator
    body = {"round": 2, "from": ["classify"], "skip": ["handbook"]}
    assert await served.post(f"{RUN}/rerun", body) == (
        200,
        {"message": f"round 2 of {failures.NAME} has started"},
    )
    spec = served.kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]
    assert spec["rerun"] == {
        "round": 2,
        "from": ["classify"],
        "skip": ["handbook"],
        "requestedBy": "ann",
    }


async def test_s748_a_round_that_reads_the_memory_again(
    kubernetes: Kubernetes, served: Place
) -> None:
    body = remembering()
    kubernetes.put("agentworkflows", body)
    _, shown = await served.get(f"{RUN}/rerun?refreshMemory=1")
    assert shown["memory"]["refresh"] is True
    assert shown["memory"]["key"] == "acme"
    kubernetes.on_patch = operator
    status, _ = await served.post(f"{RUN}/rerun", {"round": 2, "refreshMemory": True})
    assert status == 200
    spec = kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]
    assert spec["rerun"] == {"round": 2, "memory": "Refresh", "requestedBy": "ann"}


async def test_s666_a_round_that_was_not_shown_is_refused(served: Place) -> None:
    served.kubernetes.on_patch = operator
    assert (await served.post(f"{RUN}/rerun", {"round": 2}))[0] == 200
    before = served.kubernetes.version
    status, found = await served.post(f"{RUN}/rerun", {"round": 2})
    assert status == 409
    assert "round 2 was shown, but round 2 has begun; look again" in found["message"]
    assert served.kubernetes.version == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "round: expected a number"),
        ({"round": True}, "round: expected a number"),
        ({"round": 2, "from": "classify"}, "from: expected a list of nodes"),
        ({"round": 2, "skip": [1]}, "skip: expected a list of nodes"),
        ({"round": 2, "latest": "yes"}, "latest: expected true or false"),
        ({"round": 2, "refreshMemory": 1}, "refreshMemory: expected true or false"),
        ({"round": 2, "outputs": {}}, "unknown field 'outputs'"),
    ],
)
async def test_requests_that_are_no_round(served: Place, body: Obj, words: str) -> None:
    status, found = await served.post(f"{RUN}/rerun", body)
    assert status == 400
    assert words in found["message"]
    assert "rerun" not in served.kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]


async def test_s512_a_read_only_server_begins_no_round(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    async with place(kubernetes, tmp_path, Options(read_only=True)) as served:
        assert (await served.post(f"{RUN}/rerun", {"round": 2}))[0] == 403
        assert (await served.get(f"{RUN}/rerun"))[0] == 200
    assert "rerun" not in kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]


async def test_two_runs(served: Place) -> None:
    status, shown = await served.get(f"{RUN}/diff?other=triage-4711")
    assert status == 200
    assert shown["spec"] == []
    assert shown["inputs"] == [
        {
            "path": "message",
            "before": '"Where is my invoice?"',
            "after": '"You charged me twice for October."',
        }
    ]
    different = {pair["path"] for pair in shown["nodes"] if pair["differs"]}
    assert {"classify", "draft_reply"} <= different
    assert "invoices" not in different


async def test_s633_two_attempts(served: Place) -> None:
    url = f"{RUN}/attempts?node=draft_reply"
    status, shown = await served.get(f"{url}&attempt=1&attempt=2")
    assert status == 200
    assert [one["number"] for one in shown["attempts"]] == [1, 2]
    assert shown["outputNote"].startswith("attempt 1 failed (NodeError)")
    assert (await served.get(url))[1] == shown, "the last two"
    assert (await served.get(f"{url}&attempt=1&attempt=9"))[0] == 409
    assert (await served.get(f"{url}&attempt=x"))[0] == 400
    assert (await served.get(f"{RUN}/attempts"))[0] == 400


async def test_a_kept_log(served: Place) -> None:
    status, shown = await served.get(f"{RUN}/logs?node=draft_reply")
    assert status == 200
    assert (shown["attempt"], shown["text"]) == (2, failures.LOG)
    assert "NodeRecord" in shown["source"]


async def answer(served: Place, path: str) -> tuple[int, Any]:
    status, body = await served.get(path)
    return status, body["message"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("logs?node=draft_reply&attempt=1", 404, "no pod and no kept log found for attempt 1"),
        ("logs?node=handbook", 404, "name an item or iteration, such as handbook/0"),
        ("logs?node=draft_reply&attempt=x", 400, "expected a number"),
        ("diff?other=nothing", 404, "no AgentWorkflow 'nothing'"),
        ("diff", 400, "other: expected a name"),
        ("logs", 400, "node: expected a name"),
        ("rerun?latest=1", 400, "the run has no template"),
    ],
)
async def test_what_is_not_there(served: Place, path: str, status: int, words: str) -> None:
    found = await answer(served, f"{RUN}/{path}")
    assert found[0] == status
    assert words in found[1]


async def test_a_missing_right_on_kept_logs_is_said(served: Place) -> None:
    served.kubernetes.denied = {"list noderecords"}
    status, words = await answer(served, f"{RUN}/logs?node=draft_reply")
    assert status == 502
    assert "the kept log cannot be read: cannot list resource noderecords" in words
