"""A line of a list has at most 1 KiB, whatever the run says (S391)."""

import json
from typing import Any

import pytest
from waypost.views.row import LARGEST, row

from tests.support.builders import python
from tests.unit.views.objects import body

LONG = "é" * 300


@pytest.mark.parametrize(
    ("name", "status", "spec"),
    [
        pytest.param("n", {}, {}, id="short"),
        pytest.param("n" * 253, {"waiting": LONG}, {"requestedBy": LONG}, id="long-texts"),
        pytest.param(
            "n" * 253,
            {
                "waiting": LONG,
                "phase": LONG,
                "progress": LONG,
                "conditions": [{"type": "Succeeded", "status": "False", "reason": LONG}],
                "usage": {"costUSD": LONG, "totalTokens": 10**12},
            },
            {"templateRef": {"name": LONG}, "requestedBy": LONG, "parent": {"run": LONG}},
            id="everything-long",
        ),
    ],
)
def test_s391_a_row_is_bounded(name: str, status: Any, spec: Any) -> None:
    run = body(python("a"), status=status, **spec)
    run["metadata"]["name"] = name
    shown = row(run).to_json()
    assert len(json.dumps(shown, ensure_ascii=False).encode()) <= LARGEST
    assert shown["name"] == name, "never cut: commands take it"


@pytest.mark.parametrize("status", [None, [], {"phase": 7, "usage": "x", "conditions": 3}])
def test_a_broken_status_does_not_hide_other_runs(status: Any) -> None:
    run = body(python("a"))
    run["status"] = status
    assert row(run).phase == "Pending"


def test_what_a_row_says() -> None:
    failed = {"type": "Succeeded", "status": "False", "reason": "NodeError"}
    usage = {"inputTokens": 5, "outputTokens": 7, "costUSD": "0.1", "estimatedModelCalls": 1}
    status = {"phase": "Failed", "progress": "1/1", "conditions": [failed], "usage": usage}
    assert row(body(python("a"), status=status)).to_json() | {"uid": "", "createdAt": ""} == {
        "name": "brief",
        "namespace": "demo",
        "uid": "",
        "createdAt": "",
        "phase": "Failed",
        "progress": "1/1",
        "round": 1,
        "reason": "NodeError",
        "totalTokens": 12,
        "costUSD": "0.1",
        "estimated": True,
    }
