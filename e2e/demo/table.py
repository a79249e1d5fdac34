"""What is shown of a run: a table of its nodes, from the object alone. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Obj = Mapping[str, Any]

HEADER = ("NODE", "PHASE", "ATTEMPTS", "STARTED", "RAN", "RECORDED", "")
FINAL = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})


@dataclass(frozen=True, slots=True)
class Row:
    """One node as people read it; times count from the start of the run."""

    node: str
    phase: str
    attempts: str = ""
    started: str = ""
    ran: str = ""  # how long the last attempt's program ran, by the kubelet's clock
    recorded: str = ""
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        head = (self.node, self.phase, self.attempts)
        return (*head, self.started, self.ran, self.recorded, self.note)


def rows(run: Obj) -> list[Row]:
    """A row per node in the order of the spec, whether it has a status yet or not."""
    status = run.get("status") or {}
    known = {node["path"]: node for node in status.get("nodes") or []}
    began = moment(status.get("startedAt"))
    names = [node["name"] for node in run["spec"]["nodes"]]
    return [_row(name, known.get(name, {}), began) for name in names]


def _row(name: str, node: Obj, began: datetime | None) -> Row:
    return Row(
        node=name,
        phase=node.get("phase", "Pending"),
        attempts=str(node["attempt"]) if node.get("attempt") else "",
        started=_since(began, node.get("startedAt")),
        ran=_ran(node),
        recorded=_since(began, node.get("finishedAt")),
        note=_note(node),
    )


def _since(began: datetime | None, text: str | None) -> str:
    then = moment(text)
    return f"+{seconds(began, then)}" if began and then else ""


def _ran(node: Obj) -> str:
    last = (node.get("attempts") or [{}])[-1]
    start, end = moment(last.get("startedAt")), moment(last.get("finishedAt"))
    if not (start and end):
        return ""
    whole = round((end - start).total_seconds())  # the kubelet tells whole seconds
    return f"{whole}s" if whole > 0 else "<1s"


def _note(node: Obj) -> str:
    if node.get("phase") == "Waiting" and node.get("approval"):
        return f"approval/{node['approval']}"
    said = ": ".join(part for part in (node.get("reason"), node.get("message")) if part)
    return said.splitlines()[0] if said else ""


def render(lines: Sequence[Row], *, width: int = 100) -> list[str]:
    """The table as lines of at most `width` characters."""
    table = [HEADER, *(row.cells() for row in lines)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADER))]
    text = [
        "  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    ]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in text]


def changes(before: Sequence[Row], after: Sequence[Row]) -> list[str]:
    """One line for every node whose phase is another one: for logs, where nothing is redrawn."""
    old = {row.node: row.phase for row in before}
    changed = [row for row in after if row.phase != old.get(row.node, "Pending")]
    return [f"{row.node:<12} {row.phase:<10} {row.note}".rstrip() for row in changed]


def attempts(run: Obj) -> dict[str, int]:
    """How many attempts each node has had."""
    nodes = (run.get("status") or {}).get("nodes") or []
    return {node["path"]: int(node.get("attempt") or 0) for node in nodes}


def condition(run: Obj, kind: str) -> Obj:
    """The condition of that type, or nothing."""
    conditions = (run.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def approval_of(run: Obj) -> str:
    """Name of the Approval that the run waits for, if any."""
    nodes = (run.get("status") or {}).get("nodes") or []
    waiting = [
        node["approval"] for node in nodes if node["phase"] == "Waiting" and "approval" in node
    ]
    return str(waiting[0]) if waiting else ""


def outputs_of(run: Obj, *, longest: int = 200) -> list[str]:
    """The outputs, a line each; long ones are cut and say so."""
    found = (run.get("status") or {}).get("outputs") or {}
    lines = []
    for name, value in found.items():
        text = json.dumps(value, ensure_ascii=False)
        cut = text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
        lines.append(f"{name}: {cut}")
    return lines


def moment(text: str | None) -> datetime | None:
    """A time of the API, or nothing."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def seconds(start: datetime, end: datetime) -> str:
    """How long, as 1.5s or 2m05s."""
    passed = max((end - start).total_seconds(), 0.0)
    return f"{passed:.1f}s" if passed < 100 else f"{int(passed) // 60}m{int(passed) % 60:02}s"
