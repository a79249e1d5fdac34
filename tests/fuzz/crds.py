"""The CRDs as an OpenAPI document, from which schemathesis draws objects: some as the schema says,
some that break it in one place."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.fuzz.extent import deep
from tests.support.documents import document, documents

ROOT = Path(__file__).parents[2]
BY_KIND = {
    crd["spec"]["names"]["kind"]: crd
    for file in sorted((ROOT / "crds").glob("*.yaml"))
    for crd in [document(file.read_text(encoding="utf-8"))]
}
NAME = "fuzzed"
_LARGE = ("AgentWorkflow", "AgentWorkflowTemplate")
_SERVERS = ("apiVersion", "kind", "metadata", "status")
# What makes trouble in one place or another: expressions, numbers, depth, odd text.
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "${",
            "${nodes.a.output}",
            "${inputs.x + 1}",
            "${nodes}",
            "${'a'.matches('(a+)+$')}",
            "$(HOME)",
            "1e999",
            "P1D",
            "99999999999999999999s",
            "-0",
            "../../etc/passwd",
            "\u0000",
            "\u202e",
            "a" * 300,
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@cache
def objects(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Manifests of a kind, valid and not."""
    crd = BY_KIND[kind]
    schema = _json_schema(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for field in _SERVERS:
        schema["properties"].pop(field, None)
    content = {"application/json": {"schema": schema}}
    operation = {
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "stored"}},
    }
    document = {
        "openapi": "3.0.3",
        "info": {"title": kind, "version": "1"},
        "paths": {"/objects": {"post": operation}},
    }
    post = schemathesis.openapi.from_dict(document)["/objects"]["POST"]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    drawn = st.one_of(*(post.as_strategy(generation_mode=mode) for mode in modes))
    return drawn.map(lambda case: _object(crd, case.body))


@cache
def manifests(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Manifests of a kind from its schema, and our examples of it with another value in one to
    three places. In the gate the largest schemas are left out: an object of them takes seconds."""
    changed = _changed(kind) if _examples(kind) else st.nothing()
    return changed if kind in _LARGE and not deep else objects(kind) | changed


@cache
def _examples(kind: str) -> list[dict[str, Any]]:
    return [
        found
        for file in sorted((ROOT / "examples").rglob("*.yaml"))
        for found in documents(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("kind") == kind
    ]


@st.composite
def _changed(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    manifest: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(_examples(kind))))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(manifest["spec"]))
        if places:
            holder, key = draw(st.sampled_from(places))
            holder[key] = draw(VALUES)
    manifest["metadata"] = {"name": NAME}
    return manifest


def _places(value: Any) -> Any:
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _object(crd: dict[str, Any], body: Any) -> dict[str, Any]:
    # As it would arrive: what is not JSON has no meaning here.
    fields = json.loads(json.dumps(body, default=str))
    found = fields if isinstance(fields, dict) else {"spec": fields}
    names = crd["spec"]
    version = f"{names['group']}/{names['versions'][0]['name']}"
    own = {"apiVersion": version, "kind": names["names"]["kind"], "metadata": {"name": NAME}}
    return {**found, **own}


def _json_schema(schema: Any) -> Any:
    """A schema of a CRD without what only Kubernetes knows."""
    if isinstance(schema, list):
        return [_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _json_schema(each) for name, each in value.items()}
        if key == "properties"
        else _json_schema(value)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes-") and key not in ("description", "default")
    }
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    closed = not schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in found and closed:
        found["additionalProperties"] = False
    return found
