"""Render the CRDs from the models and write them to crds/.

`python -m waypost.api.crd.generate` writes them; with `--check` it writes nothing, prints what
differs and exits 1.
"""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

import yaml

from waypost.api import meta
from waypost.api.crd.openapi import VALIDATIONS, Schema, structural
from waypost.api.crd.resources import RESOURCES, Resource
from waypost.api.crd.rules.table import RULES

_HEADER = "# Written by `make crds` from operator/waypost/api. Do not edit.\n"
_SEE = "See nodes."
_API_VERSION = "Version of the API: waypost.dev/v1alpha1."


def manifest(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    version: dict[str, Any] = {
        "name": meta.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column.render() for column in resource.columns],
        "schema": {"openAPIV3Schema": _with_short_copies(object_schema(resource))},
    }
    if resource.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in resource.selectable]
    if resource.status is not None:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.name.plural}.{meta.GROUP}"},
        "spec": {
            "group": meta.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.name.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                "categories": [meta.CATEGORY],
            },
            "versions": [version],
        },
    }


def _with_short_copies(root: Schema) -> Schema:
    """The schema with short texts for the blocks of nodes of finally and of compensations: those of
    `nodes` describe them, and CRDs have a limit."""
    spec = root["properties"]["spec"].get("properties", {})
    node = spec.get("nodes", {}).get("items", {}).get("properties", {})
    last = spec.get("finally", {}).get("items", {}).get("properties", {})
    for block in (*last.values(), *node.get("compensate", {}).get("properties", {}).values()):
        _shorten(block)
    return root


def _shorten(schema: Schema) -> None:
    """Shorten the descriptions of all fields below a schema, not its own."""
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            _shorten(part)
            if "description" in part:
                part["description"] = _SEE
    for field in schema.get("properties", {}).values():
        _shorten(field)
        field["description"] = _SEE


def object_schema(resource: Resource, *, with_status: bool = True) -> Schema:
    """The structural schema of whole objects of one kind; without status it is generated faster."""
    validations = _validations()
    properties: Schema = {
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": f"Always {resource.kind}.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": structural(resource.spec, validations),
    }
    if resource.status is not None and with_status:
        unwritten = {"default": dict(resource.unwritten)} if resource.unwritten else {}
        properties["status"] = {**unwritten, **structural(resource.status, validations)}
    root = {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        "properties": properties,
    }
    rules = validations.get(resource.kind)
    return {**root, VALIDATIONS: rules} if rules else root


def _validations() -> dict[str, list[dict[str, Any]]]:
    """The rendered rules, each where it stands: at a model, a field of it, or a pattern."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, rules in RULES.items():
        for rule in rules:
            place = f"{key}.{rule.place}" if rule.place else key
            found.setdefault(place, []).append(rule.render())
    return found


def render() -> dict[str, str]:
    """The text of each file of crds/, by file name."""
    return {resource.file: _HEADER + _to_yaml(manifest(resource)) for resource in RESOURCES}


class _Plain(yaml.SafeDumper):
    """No anchors: a schema that is used twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- overrides
        return True


def _to_yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; the exit code is 1 if --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m waypost.api.crd.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--directory", type=Path, default=Path("crds"), help="default: ./crds")
    options = parser.parse_args(arguments)
    differences = list(_differences(options.directory))
    if options.check:
        sys.stdout.writelines(differences)
        return 1 if differences else 0
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (options.directory / name).write_text(text, encoding="utf-8")
    return 0


def _differences(directory: Path) -> list[str]:
    lines: list[str] = []
    for name, text in render().items():
        path = directory / name
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        lines += difflib.unified_diff(
            current.splitlines(keepends=True),
            text.splitlines(keepends=True),
            fromfile=str(path),
            tofile="the models",
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
