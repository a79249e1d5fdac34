"""Items of maps in `waypost trace`: those that a person looks for, and not a thousand others."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from waypost.api.items.status import ItemsStatus
from waypost.cli.report import render
from waypost.kube import node_records
from waypost.kube.names import child_name
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson
from waypost.views.run.describe import run_view
from waypost.views.run.map_items import SHOWN, items_of_interest

NOW = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
RECORD = "brief-scan-items-0123456789"


def sealed(states: str, **results: Any) -> dict[str, Any]:
    """The NodeRecord with the items of a map that has ended."""
    data = {"total": 4, "states": states, "results": {k[1:]: v for k, v in results.items()}}
    canonical = ijson.canonical(data)
    form = node_records.form_of(data, canonical)
    assert form is not None
    return node_records.manifest(
        "Items",
        AttemptRef("brief", "u", "scan", 1, 1),
        digest=ijson.digest(data),
        size=len(canonical),
        form=form,
        owner={},
        namespace="n",
        segment=(RECORD, None),
    )


def listed(items: dict[str, Any], record: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    status = ItemsStatus.model_validate({"round": 1, **items})
    found, more = items_of_interest("scan", status, {RECORD: record} if record else {})
    keys = ("path", "state", "attempts", "reason")
    return [
        *(tuple(one[key] for key in keys) for one in found),
        *([("more", more)] if more else []),
    ]


@pytest.mark.parametrize(
    ("items", "record", "expected"),
    [
        pytest.param({"total": 3, "states": "S*3"}, None, [], id="nothing-of-interest"),
        pytest.param(
            {
                "total": 6,
                "states": f"S2 R F{2} B S P",
                "open": ["1 +1", "3 +5 r1 =RateLimited"],
                "failures": [{"index": 2, "reason": "NodeError", "message": "boom"}],
            },
            None,
            [
                ("scan/2", "Failed", 2, "NodeError"),
                ("scan/1", "Running", 1, None),
                ("scan/3", "Backoff", 1, "RateLimited"),
                ("scan/0", "Succeeded", 2, None),
            ],
            id="failed-then-open-then-repeated",
        ),
        pytest.param(
            {"total": 4, "succeeded": 2, "failed": 2, "sealed": RECORD},
            sealed(f"S U F{3} S2", i1={"e": {"reason": "UnknownEffect", "message": "?"}}),
            [
                ("scan/1", "Failed", 1, "UnknownEffect"),
                ("scan/2", "Failed", 3, None),
                ("scan/3", "Succeeded", 2, None),
            ],
            id="after-the-end-from-its-record",
        ),
        pytest.param(
            {"total": 4, "succeeded": 2, "failed": 2, "sealed": RECORD},
            None,
            [],
            id="the-record-is-gone",
        ),
        pytest.param(
            {"total": 30, "states": "F*30"},
            None,
            [*((f"scan/{at}", "Failed", 1, None) for at in range(SHOWN)), ("more", 10)],
            id="at-most-twenty",
        ),
    ],
)
def test_which_items_are_listed(
    items: dict[str, Any], record: dict[str, Any] | None, expected: list[tuple[Any, ...]]
) -> None:
    assert listed(items, record) == expected


def test_the_tree_of_a_run_has_them() -> None:
    failures = [{"index": 1, "reason": "NodeError", "message": "boom"}]
    items = {"round": 1, "total": 3, "states": f"S F{2} R", "open": ["2 +1"], "failures": failures}
    run = {
        "metadata": {"name": "brief", "namespace": "n", "uid": "u"},
        "spec": {"nodes": [{"name": "scan", "python": {}}]},
        "status": {
            "phase": "Running",
            "nodes": [{"path": "scan", "phase": "Running", "items": items}],
        },
    }
    out = Console(file=io.StringIO(), width=100)
    out.print(render.tree(run_view(run, now=NOW)))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "scan/1  item  Failed  2 attempts  NodeError: boom" in text
    assert "scan/2  item  Running  1 attempt" in text
    assert "scan/0" not in text


def test_s415_the_child_runs_of_items_are_named() -> None:
    items = ItemsStatus(
        round=1,
        total=3,
        states="S F R",
        open=["2 +1 ~0/4/1/u/01"],
        fresh={"1": {"e": {"reason": "ChildFailed"}, "c": {"i": 1, "g": 3, "r": 1, "uid": "u"}}},
    )
    found, _ = items_of_interest("scan", items, {}, run="brief", run_uid="run-1")
    assert [one["child"] for one in found] == [
        child_name(run="brief", run_uid="run-1", path="scan/1", generation=3),
        child_name(run="brief", run_uid="run-1", path="scan/0", generation=4),
    ]


def test_an_item_of_a_compensation_names_the_item_that_it_undoes() -> None:
    """Items are undone from the last one down, and only those that succeeded."""
    items = ItemsStatus(round=1, total=3, states="S F R", open=["2 +1"], list_record="brief-list")
    data = {"items": [7, 4, 0], "identities": ["a", "b", "c"]}
    canonical = ijson.canonical(data)
    form = node_records.form_of(data, canonical)
    assert form is not None
    indexes = node_records.manifest(
        "Items",
        AttemptRef("brief", "u", "scan/compensate", 1, 1),
        digest=ijson.digest(data),
        size=len(canonical),
        form=form,
        owner={},
        namespace="n",
        segment=("brief-list", None),
    )
    found, _ = items_of_interest("scan/compensate", items, {"brief-list": indexes})
    assert [(one["path"], one["undoes"]) for one in found] == [
        ("scan/compensate/1", "scan/4"),
        ("scan/compensate/2", "scan/0"),
    ]
    unread, _ = items_of_interest("scan/compensate", items, {})
    assert [one["undoes"] for one in unread] == [None, None]
