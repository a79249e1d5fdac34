"""The JSON Schema of all documents; `python -m waypost.views.schema` writes it to docs/."""

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from waypost.api.base import JsonObject
from waypost.views.documents import (
    ApprovalRow,
    NodeIo,
    Question,
    RerunPreview,
    RunCost,
    RunDifference,
    RunGraph,
)
from waypost.views.models import RunRow, RunView, View

DOCUMENTS: Final[tuple[type[View], ...]] = (
    RunRow,
    RunView,
    ApprovalRow,
    Question,
    RerunPreview,
    RunDifference,
    RunCost,
    RunGraph,
    NodeIo,
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
    options = parser.parse_args(arguments)
    text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    if not options.check:
        options.file.write_text(text, encoding="utf-8")
        return 0
    current = options.file.read_text(encoding="utf-8") if options.file.exists() else ""
    before, after = (one.splitlines(keepends=True) for one in (current, text))
    differences = list(difflib.unified_diff(before, after, str(options.file), "the models"))
    sys.stdout.writelines(differences)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
