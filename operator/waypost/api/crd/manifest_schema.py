"""The JSON Schema of manifests, for editors and generators; `python -m
waypost.api.crd.manifest_schema` writes it to docs/.

It describes what one writes into a file: no status, and no kind that only the operator creates.
Rules over several fields are not in it: `waypost lint` checks those.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from waypost.api import meta
from waypost.api.crd.resources import RESOURCES, Resource

_BY_THE_OPERATOR: Final = frozenset(
    {meta.APPROVAL.kind, meta.MEMORY_ENTRY.kind, meta.NODE_RECORD.kind}
)


def json_schema() -> dict[str, Any]:
    """The schema: an object of one of the kinds that people write."""
    written = [one for one in RESOURCES if one.kind not in _BY_THE_OPERATOR]
    references, found = models_json_schema(
        [(resource.spec, "validation") for resource in written], by_alias=True
    )
    definitions = dict(found["$defs"])
    for resource in written:
        spec = references[(resource.spec, "validation")]
        definitions[resource.kind] = _object(resource, spec)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifests of Waypost",
        "oneOf": [{"$ref": f"#/$defs/{resource.kind}"} for resource in written],
        "$defs": definitions,
    }


def _object(resource: Resource, spec: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "apiVersion": {"const": meta.API_VERSION},
        "kind": {"const": resource.kind},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    return {
        "description": resource.description,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": properties,
        "additionalProperties": False,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file. Returns the exit code: 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(
        prog="python -m waypost.api.crd.manifest_schema", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--file", type=Path, default=Path("docs/manifests.schema.json"))
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
