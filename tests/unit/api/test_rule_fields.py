"""A rule of a CRD reads only fields that its schema has: the API server refuses others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.documents import document

CRDS: Final = sorted((Path(__file__).resolve().parents[3] / "crds").glob("*.yaml"))
_READ: Final = re.compile(r"(?<![\w.])(?:self|oldSelf)\.([A-Za-z_]\w*)(?!\w*\()")


def _schemas(schema: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(schema, dict):
        return
    yield place, schema
    for name, below in (schema.get("properties") or {}).items():
        yield from _schemas(below, f"{place}.{name}")
    yield from _schemas(schema.get("items"), f"{place}[]")
    yield from _schemas(schema.get("additionalProperties"), f"{place}.*")


@pytest.mark.parametrize("path", CRDS, ids=[path.stem for path in CRDS])
def test_rules_read_fields_that_exist(path: Path) -> None:
    crd = document(path.read_text(encoding="utf-8"))
    unknown = []
    for version in crd["spec"]["versions"]:
        for place, schema in _schemas(version["schema"]["openAPIV3Schema"]):
            known = {*(schema.get("properties") or ()), "metadata", "apiVersion", "kind"}
            for rule in schema.get("x-kubernetes-validations") or ():
                if schema.get("type") == "object" and "properties" in schema:
                    read = {name.removeprefix("__") for name in _READ.findall(rule["rule"])}
                    read = {name.removesuffix("__") for name in read}
                    unknown += [f"{place}: {name}" for name in sorted(read - known)]
    assert not unknown
