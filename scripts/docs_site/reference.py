"""Pages of the reference: the fields of each resource, and the commands."""

import html
import json
from collections.abc import Iterator
from typing import Any, Final

import typer.cli
import typer.main
from waypost.cli.app import app

Schema = dict[str, Any]
_LIMITS: Final = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern")


def resource_page(crd: Schema) -> str:
    """The fields of a resource, an object a section, from its CustomResourceDefinition."""
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{name}`" for name in names.get("shortNames", [])) or "none"
    head = (
        f"# {names['kind']}\n\n{schema.get('description', '')}\n\n"
        f"`apiVersion: {crd['spec']['group']}/{version['name']}`, short name: {short}. "
        f"`kubectl explain {names['singular']}` shows the same.\n"
    )
    seen: dict[str, str] = {}
    objects = [
        found
        for name in ("spec", "status")
        if name in schema["properties"]
        for found in _objects(name, schema["properties"][name], seen)
    ]
    return head + "".join(_section(path, each, seen) for path, each in objects)


def commands_page() -> str:
    """The help of every command, as `typer utils docs` writes it."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="waypost")
    return typer.cli.get_docs_for_click(obj=command, ctx=context, name="waypost")


def _objects(path: str, schema: Schema, seen: dict[str, str]) -> Iterator[tuple[str, Schema]]:
    """Every object below `path` with fields, once: `seen` has the path of each by its fields."""
    inner, suffix = _inner(schema)
    path += suffix
    if not inner.get("properties"):
        return
    if seen.setdefault(_identity(inner), path) != path:
        return
    yield path, inner
    for name, field in inner["properties"].items():
        yield from _objects(f"{path}.{name}", field, seen)


def _inner(schema: Schema) -> tuple[Schema, str]:
    """What lists and maps contain, and what that adds to a path."""
    suffix = ""
    while True:
        if isinstance(items := schema.get("items"), dict):
            schema, suffix = items, suffix + "[]"
        elif isinstance(values := schema.get("additionalProperties"), dict):
            schema, suffix = values, suffix + ".*"
        else:
            return schema, suffix


def _identity(schema: Schema) -> str:
    return json.dumps(schema["properties"], sort_keys=True)


def _section(path: str, schema: Schema, seen: dict[str, str]) -> str:
    required = set(schema.get("required", []))
    rows = "".join(
        f"| {_linked(name, field, seen)} | {_type(field)} | {_text(field, name in required)} |\n"
        for name, field in schema["properties"].items()
    )
    head = f"\n## {path} {{ #{_anchor(path)} }}\n\n| field | type | description |\n|---|---|---|\n"
    return head + rows


def _linked(name: str, field: Schema, seen: dict[str, str]) -> str:
    inner, _ = _inner(field)
    target = seen.get(_identity(inner)) if inner.get("properties") else None
    return f"[`{name}`](#{_anchor(target)})" if target else f"`{name}`"


def _type(field: Schema) -> str:
    inner, suffix = _inner(field)
    kind = inner.get("type", "any")
    if inner.get("x-kubernetes-int-or-string"):
        kind = "integer or string"
    return f"{'list of ' * suffix.count('[]')}{'map of ' * suffix.count('.*')}{kind}"


def _text(field: Schema, required: bool) -> str:
    parts = [html.escape(field.get("description", ""), quote=False).replace("|", "&#124;")]
    if required:
        parts.append("**Required.**")
    if "default" in field:
        parts.append(f"Default: {_code(json.dumps(field['default']))}.")
    if values := field.get("enum"):
        parts.append("One of " + ", ".join(_code(str(value)) for value in values) + ".")
    parts += [f"{name}: {_code(str(field[name]))}." for name in _LIMITS if name in field]
    return " ".join(part for part in parts if part).replace("\n", " ")


def _code(text: str) -> str:
    """Code in a cell of a table. Markdown would read a `|` as a new cell, and `[](` as a link."""
    safe = (each if each.isalnum() or each in " .-" else f"&#{ord(each)};" for each in text)
    return f"<code>{''.join(safe)}</code>"


def _anchor(path: str) -> str:
    return path.replace("[]", "").replace(".*", "").replace(".", "-").lower()
