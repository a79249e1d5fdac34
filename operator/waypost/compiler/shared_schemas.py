"""`spec.schemas`: named schemas that schema fields use as {$ref: "#/schemas/<name>"}.

`bundled` makes each schema field self-contained: the schemas that it names, directly or through
others, are copied to its `$defs`, where validators, the runner and model providers read them.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from waypost.api.effects.compensate import Compensate
from waypost.api.kinds.http import HttpKind
from waypost.api.kinds.table import work_of
from waypost.api.nodes.artifacts import ARTIFACT_SCHEMA
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.problems import Problem, did_you_mean
from waypost.protocol import schema
from waypost.protocol.ijson import Json
from waypost.protocol.references import ANCHORS, REFERENCES

_SHARED: Final = "#/schemas/"
# Schemas that every spec can refer to, and whose names it cannot use.
RESERVED: Final[dict[str, Json]] = {"Artifact": ARTIFACT_SCHEMA}
_OWN: Final = "#/$defs/"
_N = TypeVar("_N", bound=Node)


def schema_fields(spec: AgentWorkflowSpec) -> Iterator[tuple[str, Json]]:
    """(field, schema) of each schema in a spec."""
    for name, value in (spec.schemas or {}).items():
        yield f"schemas.{name}", value
    fields: list[tuple[str, Json]] = [
        ("inputSchema", spec.input_schema),
        ("outputSchema", spec.output_schema),
    ]
    if spec.memory is not None:
        fields.append(("memory.factSchema", spec.memory.fact_schema))
    for node in spec.all_nodes:
        place = node.place
        fields.append((f"{place}.inputSchema", node.input_schema))
        fields.append((f"{place}.outputSchema", node.output_schema))
        work, kind = work_of(node), compiler_kind(node)
        for attribute in kind.schema_fields:
            field = f"{place}.{kind.name}.{type(work).model_fields[attribute].alias}"
            fields.append((field, getattr(work, attribute)))
    yield from ((field, value) for field, value in fields if value is not None)


def unknown_names(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report references to unknown names of spec.schemas, references below an $id, and names that
    are reserved."""
    known = [*(spec.schemas or {}), *RESERVED]
    for name in RESERVED.keys() & (spec.schemas or {}).keys():
        yield Problem(f"schemas.{name}", "this name is reserved; choose another one")
    for field, value in schema_fields(spec):
        for keyword, reference in _shared_references(value) if _may_name(value) else ():
            name = _name_in(reference)
            if name not in known:
                listed = f"; schemas: {', '.join(known[:12])}" if known else ""
                hint = did_you_mean(name, known) or listed
                yield Problem(field, f"spec.schemas has no {name!r}{hint}")
            if isinstance(value, dict) and "$id" in value:
                text = f"{keyword} {reference!r} is looked up below $id; remove $id"
                yield Problem(field, text)


def bundled(spec: AgentWorkflowSpec) -> AgentWorkflowSpec:
    """`spec` with self-contained schema fields. It must have no `unknown_names`."""
    shared = {**(spec.schemas or {}), **RESERVED}
    if not spec.schemas and not any(_may_name(value) for _, value in schema_fields(spec)):
        return spec
    once = _Bundling(shared)
    nodes = [_bundled_node(node, once) for node in spec.nodes]
    last = spec.finally_ and [_bundled_node(node, once) for node in spec.finally_]
    return spec.model_copy(
        update={
            "schemas": {name: once.of({"$ref": _SHARED + name}) for name in spec.schemas or {}},
            "input_schema": once.of(spec.input_schema),
            "output_schema": once.of(spec.output_schema),
            "nodes": nodes,
            "finally_": last,
            "memory": spec.memory
            and spec.memory.model_copy(update={"fact_schema": once.of(spec.memory.fact_schema)}),
        }
    )


class _Bundling:
    """`bundle` for one spec, cached: most specs use a few schemas many times."""

    def __init__(self, shared: dict[str, Json]) -> None:
        self._shared = shared
        self._made: dict[str, Json] = {}

    def of(self, value: Json) -> Json:
        if not _may_name(value):
            return value
        text = json.dumps(value)
        if text not in self._made:
            self._made[text] = bundle(value, self._shared)
        return self._made[text]


def _may_name(value: Json) -> bool:
    """Whether a schema may refer to spec.schemas; a cheap test."""
    return _SHARED in json.dumps(value)


def _bundled_node(node: _N, once: _Bundling) -> _N:
    changes: dict[str, Any] = {
        "input_schema": once.of(node.input_schema),
        "output_schema": once.of(node.output_schema),
    }
    work, kind = work_of(node), compiler_kind(node)
    given = {name: getattr(work, name) for name in kind.schema_fields}
    own = {name: once.of(value) for name, value in given.items() if value is not None}
    if own:
        changes[kind.name] = work.model_copy(update=own)
    if node.compensate is not None and node.compensate.http is not None:
        changes["compensate"] = _bundled_compensation(node.compensate, node.compensate.http, once)
    same = all(getattr(node, name) is value for name, value in changes.items())
    return node if same else node.model_copy(update=changes)


def _bundled_compensation(given: Compensate, http: HttpKind, once: _Bundling) -> Compensate:
    if http.response_schema is None:
        return given
    changed = http.model_copy(update={"response_schema": once.of(http.response_schema)})
    return given.model_copy(update={"http": changed})


def bundle(value: Json, shared: dict[str, Json]) -> Json:
    """The schema `value` with the schemas of `shared` that it names in its own $defs; the same
    object if it names none."""
    if not isinstance(value, dict) or not any(_names(value)):
        return value
    taken = set(value.get("$defs") or ())
    titles = {name: _free(name, taken) for name in _reachable(value, shared)}
    made: dict[str, Any] = schema.rewrite(value, lambda part: _pointed(part, titles, ""))
    definitions = dict(made.pop("$defs", None) or {})
    for name, title in titles.items():
        definitions |= _definitions(shared[name], titles, title)
    return _with_plain_root(made, definitions)


def _names(value: Json) -> Iterator[str]:
    yield from (_name_in(reference) for _, reference in _shared_references(value))


def _shared_references(value: Json) -> Iterator[tuple[str, str]]:
    """(keyword, reference) of each reference to spec.schemas."""
    for part in schema.parts(value):
        for keyword in REFERENCES:
            reference = part.get(keyword)
            if isinstance(reference, str) and reference.startswith(_SHARED):
                yield keyword, reference


def _name_in(reference: str) -> str:
    return reference.removeprefix(_SHARED).partition("/")[0]


def _reachable(value: Json, shared: dict[str, Json]) -> list[str]:
    """The names that `value` uses, directly or through others, in order of first use."""
    names: dict[str, None] = dict.fromkeys(_names(value))
    pending = list(names)
    while pending:
        for name in _names(shared[pending.pop()]):
            if name not in names:
                names[name] = None
                pending.append(name)
    return list(names)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"schemas.{name}"
    return name


def _definitions(named: Json, titles: dict[str, str], title: str) -> dict[str, Json]:
    """The definition `title`, and next to it those of the schema's own $defs: many readers of
    `$defs` read only one level."""
    made: dict[str, Any] = schema.rewrite(named, lambda part: _pointed(part, titles, title))
    inner = made.pop("$defs", None) or {}
    return {title: made} | {f"{title}.{name}": part for name, part in inner.items()}


def _pointed(part: dict[str, Json], titles: dict[str, str], title: str) -> dict[str, Json]:
    """`part` with its references changed to the new places of their targets.

    `title` is that of the shared schema which contains the part, "" for the field itself. Anchors
    of a shared schema get its title, because two schemas may use the same name.
    """
    moved: dict[str, Json] = {}
    for keyword in REFERENCES:
        if isinstance(part.get(keyword), str):
            moved[keyword] = _moved(part[keyword], titles, title)
    for keyword in ANCHORS if title else ():
        if isinstance(part.get(keyword), str):
            moved[keyword] = _anchor(title, part[keyword])
    return part | moved


def _moved(reference: str, titles: dict[str, str], title: str) -> str:
    if reference.startswith(_SHARED):
        name = _name_in(reference)
        return _OWN + titles[name] + reference.removeprefix(_SHARED + name)
    if not title:
        return reference
    if reference.startswith(_OWN):
        return f"{_OWN}{title}.{reference.removeprefix(_OWN)}"
    if reference == "#" or reference.startswith("#/"):
        return f"{_OWN}{title}{reference[1:]}"
    return f"#{_anchor(title, reference[1:])}" if reference.startswith("#") else reference


def _anchor(title: str, name: str) -> str:
    return f"{title}.{name}"


def _with_plain_root(made: dict[str, Any], definitions: dict[str, Json]) -> dict[str, Json]:
    """Replace a root that only refers to a definition by that definition: model providers and
    readers of messages need to see its type."""
    title = str(made.get("$ref", "")).removeprefix(_OWN)
    target = definitions.get(title)
    beside = {key: value for key, value in made.items() if key != "$ref"}
    if isinstance(target, dict) and not beside.keys() & target.keys():
        made = target | beside
        rest = {key: part for key, part in definitions.items() if key != title}
        if any(_refers(part, title) for part in (made, *rest.values())):
            # The definition keeps its anchors, and the field those beside its $ref.
            made = schema.rewrite(target, _without_anchors) | beside
        else:
            definitions = rest
    return made | {"$defs": definitions} if definitions else made


def _without_anchors(part: dict[str, Json]) -> dict[str, Json]:
    return {keyword: value for keyword, value in part.items() if keyword not in ANCHORS}


def _refers(value: Json, title: str) -> bool:
    start = _OWN + title
    references = (
        str(part.get(keyword, "")) for part in schema.parts(value) for keyword in REFERENCES
    )
    return any(ref == start or ref.startswith(f"{start}/") for ref in references)
