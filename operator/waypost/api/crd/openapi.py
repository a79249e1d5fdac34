"""Rewrite pydantic's JSON Schema 2020-12 as the structural OpenAPI v3 schema of a CRD.

Only what the API server accepts comes out; what it cannot hold is refused by name, never
dropped, so that no bound of a model is lost on the way without anybody noticing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]
# Validations by the name of a model, of a model and one of its fields (`Node.name`), or the pattern
# of a string. Those of a field come after those of its pattern.
Validations = Mapping[str, Sequence[Mapping[str, Any]]]

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
LIST_TYPE: Final = "x-kubernetes-list-type"
VALIDATIONS: Final = "x-kubernetes-validations"

# Also the order in which they are written.
_KEPT = (
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
# `propertyNames` has no structural form: key names are checked by the operator.
_DROPPED = frozenset({"title", "discriminator", "propertyNames"})
_HANDLED = frozenset(
    {
        "$ref",
        "$defs",
        "additionalProperties",
        "anyOf",
        "const",
        "description",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "patternProperties",
        "properties",
        "required",
    }
)
_NULL = {"type": "null"}


class UnstructuralError(ValueError):
    """A model has no structural form in a CRD. The text names the model and the field."""


def structural(model: type[BaseModel], validations: Validations) -> Schema:
    """The structural schema of `model`, with `validations` attached where their key occurs.

    Raises:
        UnstructuralError: The model has a field without description, a recursion, a union, an
            unbounded string, list or map, or a keyword without a structural form.
    """
    source = model.model_json_schema(by_alias=True, mode="validation")
    renderer = _Renderer(source.get("$defs", {}), validations)
    if "$ref" in source:  # how pydantic writes a model that refers to itself
        return renderer.value(source, at=model.__name__, inside=())
    return renderer.model(source, model.__name__, at=model.__name__, inside=())


class _Renderer:
    def __init__(self, definitions: Mapping[str, Schema], validations: Validations) -> None:
        self._definitions = definitions
        self._validations = validations

    def model(self, source: Schema, name: str, *, at: str, inside: tuple[str, ...]) -> Schema:
        if name in inside:
            raise UnstructuralError(f"{at}: {name} contains itself; a CRD schema cannot recurse")
        schema = self._object(source, at=at, inside=(*inside, name))
        for field, found in schema.get("properties", {}).items():
            schema["properties"][field] = self._validated(found, f"{name}.{field}")
        return self._validated(schema, name)

    def value(self, source: Schema, *, at: str, inside: tuple[str, ...]) -> Schema:
        """Any schema that is not the root: a property, an item, the value of a map."""
        source = _without_null(source, at)
        _refuse_unknown_keywords(source, at)
        if "$ref" in source:
            return self._reference(source, at=at, inside=inside)
        if source.get("type") == "object":
            return self._object(source, at=at, inside=inside)
        if source.get("type") == "array":
            return self._list(source, at=at, inside=inside)
        return self._validated(_scalar(source, at), source.get("pattern", ""))

    def _reference(self, source: Schema, *, at: str, inside: tuple[str, ...]) -> Schema:
        name = source["$ref"].rpartition("/")[2]
        target = self._definitions[name]
        schema = self.model(target, name, at=at, inside=inside)
        # The description of the field overrides that of its type. Pydantic leaves out one that
        # equals the docstring of the type, which is so for some docstrings from Python 3.13 on.
        own = source.get("description")
        return {**schema, "description": _one_line(own)} if own else schema

    def _object(self, source: Schema, *, at: str, inside: tuple[str, ...]) -> Schema:
        _refuse_unknown_keywords(source, at)
        schema = _kept(source)
        entries = _map_values(source)
        if "properties" in source:
            if "required" in source:
                schema["required"] = list(source["required"])
            schema["properties"] = {
                name: self._property(field, at=f"{at}.{name}", inside=inside)
                for name, field in source["properties"].items()
            }
        elif entries is None or not entries:
            # Not additionalProperties of an untyped value: CEL would not see the field at all.
            schema[PRESERVE] = True
        else:
            if "maxProperties" not in source:
                raise UnstructuralError(f"{at}: a map needs max_length")
            schema["additionalProperties"] = self.value(entries, at=f"{at}.*", inside=inside)
        return schema

    def _property(self, field: Schema, *, at: str, inside: tuple[str, ...]) -> Schema:
        if not (field.get("description") or self._description_of_type(field)):
            raise UnstructuralError(f"{at}: has no description, which kubectl explain would print")
        return self.value(field, at=at, inside=inside)

    def _description_of_type(self, field: Schema) -> str:
        name = field.get("$ref", "").rpartition("/")[2]
        return str(self._definitions.get(name, {}).get("description", ""))

    def _list(self, source: Schema, *, at: str, inside: tuple[str, ...]) -> Schema:
        if "maxItems" not in source:
            raise UnstructuralError(f"{at}: a list needs max_length")
        schema = _kept(source)
        schema.setdefault(LIST_TYPE, "atomic")
        schema["items"] = self.value(source.get("items", {}), at=f"{at}[]", inside=inside)
        return schema

    def _validated(self, schema: Schema, key: str) -> Schema:
        rules = [dict(rule) for rule in self._validations.get(key, ())]
        return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, ()), *rules]} if rules else schema


def _without_null(source: Schema, at: str) -> Schema:
    """`T | None` is an optional T: an absent field means the same as null."""
    if INT_OR_STRING in source and source.get("default", ...) is None:
        return {key: value for key, value in source.items() if key != "default"}
    if "anyOf" not in source or INT_OR_STRING in source:
        return source
    members = [member for member in source["anyOf"] if member != _NULL]
    if len(members) != 1:
        raise UnstructuralError(f"{at}: is a union of {len(members)} types; a CRD field has one")
    outer = {key: value for key, value in source.items() if key != "anyOf"}
    if outer.get("default", ...) is None:
        del outer["default"]
    return {**members[0], **outer}


def _scalar(source: Schema, at: str) -> Schema:
    schema = _kept(source)
    if "const" in source:
        schema["enum"] = [source["const"]]
    for bound, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in source:
            schema |= {inclusive: source[bound], bound: True}
    if INT_OR_STRING in source:
        return schema
    if "type" not in source:
        # Without nullable the API server would remove a null.
        return {**schema, "nullable": True, PRESERVE: True}
    if source["type"] == "string" and not {"maxLength", "enum", "const"} & source.keys():
        raise UnstructuralError(f"{at}: a string needs max_length")
    return schema


def _map_values(source: Schema) -> Schema | None:
    """The schema of a map's values; None for a closed or a free-form object."""
    if "patternProperties" in source:
        (values,) = source["patternProperties"].values()
        return dict(values)
    values = source.get("additionalProperties")
    return dict(values) if isinstance(values, dict) else None


def _kept(source: Schema) -> Schema:
    schema: Schema = {}
    if "description" in source:
        schema["description"] = _one_line(source["description"])
    schema |= {key: source[key] for key in _KEPT if key in source}
    return schema | {key: source[key] for key in sorted(source) if key.startswith("x-kubernetes-")}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _refuse_unknown_keywords(source: Schema, at: str) -> None:
    for keyword in source:
        if keyword.startswith("x-kubernetes-") or keyword in _DROPPED | _HANDLED:
            continue
        if keyword not in _KEPT:
            raise UnstructuralError(f"{at}: the keyword {keyword} has no form in a CRD")
