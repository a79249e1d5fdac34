"""The JSON Schema of all documents; `python -m waypost.views.schema` writes it to docs/, and the
types of the web interface to ui/."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from waypost.api.base import JsonObject
from waypost.views.documents import (
    ApprovalRow,
    AttemptsDifference,
    ForkPreview,
    NodeIo,
    NodeLog,
    Question,
    RerunPreview,
    RunCost,
    RunDifference,
    RunGraph,
    RunManifest,
    RunReport,
)
from waypost.views.memory.row import MemoryRow, MemoryView
from waypost.views.models import RunRow, RunView, View
from waypost.views.triggers.deliveries import DeliveryRow
from waypost.views.triggers.schedules import ScheduleRow
from waypost.views.typescript import typescript

DOCUMENTS: Final[tuple[type[View], ...]] = (
    RunRow,
    RunView,
    ApprovalRow,
    ScheduleRow,
    DeliveryRow,
    MemoryRow,
    MemoryView,
    Question,
    RerunPreview,
    ForkPreview,
    RunDifference,
    RunCost,
    RunGraph,
    NodeIo,
    NodeLog,
    AttemptsDifference,
    RunManifest,
    RunReport,
)


def json_schema() -> JsonObject:
    """The schema: `$defs` has each document by its name, and what they have in common."""
    pairs = [(model, "serialization") for model in DOCUMENTS]
    _, found = models_json_schema(pairs, by_alias=True)  # type: ignore[arg-type]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Documents of waypost",
        "description": "What `waypost ... -o json` prints. Fields are added, never renamed.",
        **_open(found),
    }


def schema_of(model: type[View]) -> JsonObject:
    """The schema of one document."""
    found: JsonObject = _open(model.model_json_schema(mode="serialization"))
    return found


def _open(value: Any) -> Any:
    """The schema without `additionalProperties: false`: a later version may add fields."""
    if isinstance(value, dict):
        closed = value.get("additionalProperties") is False
        kept = {key for key in value if not (closed and key == "additionalProperties")}
        return {key: _open(inner) for key, inner in value.items() if key in kept}
    return [_open(item) for item in value] if isinstance(value, list) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file. Returns the exit code: 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m waypost.views.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--file", type=Path, default=Path("docs/views.schema.json"))
    parser.add_argument("--types", type=Path, default=Path("ui/src/documents.ts"))
    options = parser.parse_args(arguments)
    schema = json_schema()
    files = {
        options.file: json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
        options.types: typescript(schema),
    }
    if not options.check:
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
        return 0
    differences = [line for file, text in files.items() for line in _differences(file, text)]
    sys.stdout.writelines(differences)
    return 1 if differences else 0


def _differences(file: Path, text: str) -> Iterator[str]:
    current = file.read_text(encoding="utf-8") if file.exists() else ""
    before, after = (one.splitlines(keepends=True) for one in (current, text))
    return difflib.unified_diff(before, after, str(file), "the models")


if __name__ == "__main__":
    sys.exit(main())
