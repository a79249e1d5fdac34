"""Our own kinds against the schemas of their CRDs, as strictly as the API server does it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs
from waypost.api.crd import generate as crds
from waypost.api.crd.resources import RESOURCES
from waypost.ports.cluster import Kind, Obj

from tests.fakes.api.wire import copied

Schema = Mapping[str, Any]
_FREE = "x-kubernetes-preserve-unknown-fields"
_MAP_KEYS = "x-kubernetes-list-map-keys"
_KEPT_TEXT = (
    "type pattern enum required minimum maximum minLength maxLength minItems maxItems "
    "minProperties maxProperties exclusiveMinimum exclusiveMaximum multipleOf format"
)
_KEPT = _KEPT_TEXT.split()


def is_custom(kind: Kind) -> bool:
    """Whether the kind is one of ours."""
    return kind in _RESOURCES


def has_status(kind: Kind) -> bool:
    """Whether the kind has a status subresource."""
    if kind in _RESOURCES:
        return _RESOURCES[kind].status is not None
    return kind in (Kind.JOB, Kind.POD, Kind.NAMESPACE)


def unknown_fields(kind: Kind, body: Obj) -> list[str]:
    """Fields that no schema knows, by path."""
    return list(_unknown(_root(kind), body, "")) if is_custom(kind) else []


def violations(kind: Kind, body: Obj) -> list[str]:
    """What the schema refuses, in sentences."""
    if not is_custom(kind):
        return []
    found = [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(kind).iter_errors(body)
    ]
    return found + list(_duplicates(_keyed(kind), body, ""))


def complete(kind: Kind, body: Obj) -> None:
    """Fill in the schema's defaults and drop nulls where the schema has no place for them, as
    the API server does before it judges an object."""
    if is_custom(kind):
        _complete(_root(kind), body)


def _complete(schema: Schema, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _complete(schema.get("items", {}), item)
    if not isinstance(value, dict):
        return
    for key, below in schema.get("properties", {}).items():
        nothing = key not in value or (value[key] is None and not below.get("nullable"))
        if nothing and "default" in below:
            value[key] = copied({"it": below["default"]})["it"]
        elif nothing:
            value.pop(key, None)
        else:
            _complete(below, value[key])
    others = schema.get("additionalProperties")
    if isinstance(others, Mapping):
        for key in list(value):
            if value[key] is None and not others.get("nullable"):
                del value[key]
            else:
                _complete(others, value[key])


_RESOURCES = {kind: r for r in RESOURCES for kind in Kind if kind.kind == r.kind}


@cache
def _root(kind: Kind) -> Schema:
    document = crds.manifest(_RESOURCES[kind])
    root: Schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


@cache
def _keyed(kind: Kind) -> Schema:
    return _with_keys(_root(kind)) or {}


def _with_keys(schema: Schema) -> Schema | None:
    """What of a schema leads to lists with keys; None when nothing does."""
    properties = {
        key: kept
        for key, below in schema.get("properties", {}).items()
        if (kept := _with_keys(below)) is not None
    }
    items = _with_keys(schema["items"]) if isinstance(schema.get("items"), Mapping) else None
    if not properties and items is None and _MAP_KEYS not in schema:
        return None
    keys = {_MAP_KEYS: schema[_MAP_KEYS]} if _MAP_KEYS in schema else {}
    return {"properties": properties, **keys, **({"items": items} if items else {})}


@cache
def _validator(kind: Kind) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_plain(_root(kind)), validate_formats=True)


def _plain(schema: Schema) -> dict[str, Any]:
    """As JSON Schema: `nullable` and int-or-string are OpenAPI's and Kubernetes' own words."""
    plain: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if "properties" in schema:
        plain["properties"] = {key: _plain(s) for key, s in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), Mapping):
        plain["additionalProperties"] = _plain(schema["additionalProperties"])
    if "items" in schema:
        plain["items"] = _plain(schema["items"])
    if schema.get("x-kubernetes-list-type") == "set":
        plain["uniqueItems"] = True
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    return {"anyOf": [{"type": "null"}, plain]} if schema.get("nullable") else plain


def _unknown(schema: Schema, value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict) and at != "metadata":
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for key, item in value.items():
            place = f"{at}.{key}".lstrip(".")
            if key in properties:
                yield from _unknown(properties[key], item, place)
            elif isinstance(others, Mapping):
                yield from _unknown(others, item, place)
            elif not schema.get(_FREE):
                yield place
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _unknown(schema["items"], item, f"{at}[{index}]")


def _duplicates(schema: Schema, value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in schema.get("properties", {}).items():
            yield from _duplicates(below, value.get(key), f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        keys = schema.get(_MAP_KEYS, ())
        seen = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, dict)]
        if keys and len(set(seen)) < len(seen):
            yield f"{at}: Duplicate value of {', '.join(keys)}"
        for index, item in enumerate(value):
            yield from _duplicates(schema.get("items", {}), item, f"{at}[{index}]")
