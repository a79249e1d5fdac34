"""What is in crds/ is what the models say, and every schema in it is one the API server takes."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from waypost.api.crd import generate, openapi
from waypost.api.crd.cel_rule import Cel
from waypost.api.crd.openapi import UnstructuralError, structural
from waypost.api.crd.resources import RESOURCES
from waypost.api.crd.rules.table import RULES
from waypost.api.workflow import MAX_NODES

from tests.crds import children, endpoints, events, identity, memory, schedules, sources, templates
from tests.crds.refused import LENIENT, STRICT
from tests.crds.transitions import TRANSITIONS, VOTES
from tests.support.documents import document

CRDS = Path(__file__).parents[2] / "crds"

# Keywords that may stand in the structural schema of a CRD (apiextensions.k8s.io/v1).
ALLOWED = {
    *("type", "format", "description", "enum", "default", "pattern", "nullable"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("properties", "additionalProperties", "items", "required"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"),
    "x-kubernetes-map-type",
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
}


def walk(node: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below and including `node`, with where it is."""
    yield at, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{at}.{name}")
    if "items" in node:
        yield from walk(node["items"], f"{at}[]")
    if "additionalProperties" in node:
        yield from walk(node["additionalProperties"], f"{at}.*")


def schemas() -> list[tuple[str, dict[str, Any]]]:
    """Every schema of every kind."""
    found: list[tuple[str, dict[str, Any]]] = []
    for resource in RESOURCES:
        version = generate.manifest(resource)["spec"]["versions"][0]
        found += walk(version["schema"]["openAPIV3Schema"], resource.kind)
    return found


def test_files_are_what_the_models_say() -> None:
    written = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    assert written == generate.render(), "run `make crds` and commit the result"


def test_check_names_the_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--directory", str(tmp_path)]) == 0
    assert generate.main(["--check", "--directory", str(tmp_path)]) == 0
    drifted = tmp_path / "waypost.dev_approvals.yaml"
    drifted.write_text(drifted.read_text().replace("maxLength: 32768", "maxLength: 1"))
    capsys.readouterr()
    assert generate.main(["--check", "--directory", str(tmp_path)]) == 1
    assert "+                maxLength: 32768" in capsys.readouterr().out


def test_every_schema_is_structural() -> None:
    for at, node in schemas():
        assert not node.keys() - ALLOWED, f"{at}: not allowed in a CRD"
        untyped = {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"}
        assert "type" in node or untyped & node.keys(), f"{at}: neither a type nor any value"
        both = {"properties", "additionalProperties"} <= node.keys()
        assert not both, f"{at}: a struct or a map, never both"


def test_every_field_is_described() -> None:
    for at, node in schemas():
        for name, child in node.get("properties", {}).items():
            if at in schema_kinds() and name == "metadata":
                continue  # the API server's own
            assert child.get("description"), f"{at}.{name}: kubectl explain would print nothing"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spec.nodes.retry.exitCodes", "Only for container nodes, and not with effect: once"),
        ("spec.nodes.retry.exitCodes.retry", "Only these exit codes are retried"),
        ("spec.nodes.retry.exitCodes.fail", "After these exit codes the node fails at once"),
        ("spec.nodes.wait.duration", '"${nodes.ask.output.retryAfter}s"'),
        ("spec.nodes.wait.until", "${...} is evaluated"),
        ("spec.nodes.http.bigIntegers", "Refuse (default): the node fails with OutputInvalid"),
        ("spec.defaults.resources", "limits.ephemeral-storage is also the size of /tmp"),
        ("spec.nodes.dependsOn", "in addition to those that expressions refer to"),
    ],
)
def test_kubectl_explain_says_what_a_field_does(path: str, words: str) -> None:
    """Fields that users of comparable products ask for."""
    (resource,) = [one for one in RESOURCES if one.kind == "AgentWorkflow"]
    found: Any = generate.object_schema(resource, with_status=False)
    for step in path.split("."):
        found = found.get("items", found)["properties"][step]
    assert words in found["description"]


def test_a_node_may_depend_on_all_others() -> None:
    (resource,) = [one for one in RESOURCES if one.kind == "AgentWorkflow"]
    spec = generate.object_schema(resource, with_status=False)["properties"]["spec"]["properties"]
    assert spec["nodes"]["items"]["properties"]["dependsOn"]["maxItems"] == MAX_NODES


def test_everything_the_rules_look_at_is_bounded() -> None:
    for at, node in schemas():
        kind = node.get("type")
        if kind == "string" and at.count(".") > 1:
            assert {"maxLength", "enum"} & node.keys(), f"{at}: a string of any length"
        if kind == "array":
            assert "maxItems" in node, f"{at}: a list of any length"
        if "additionalProperties" in node:
            assert "maxProperties" in node, f"{at}: a map of any size"


def test_lists_say_how_they_merge() -> None:
    keys = {
        at: node.get("x-kubernetes-list-map-keys", node["x-kubernetes-list-type"])
        for at, node in schemas()
        if node.get("type") == "array"
    }
    assert keys["AgentWorkflow.spec.nodes"] == ["name"], "unique names, any order"
    assert keys["AgentWorkflow.status.nodes"] == ["path"]
    assert keys["AgentWorkflow.status.nodes[].attempts"] == "atomic"
    assert keys["AgentWorkflow.status.conditions"] == ["type"]
    assert keys["AgentWorkflow.spec.nodes[].dependsOn"] == "set", "duplicates are refused"
    assert keys["Approval.status.conditions"] == ["type"]


def test_owners_are_noted_by_node_not_by_leaf() -> None:
    items = {at: node for at, node in schemas() if at.endswith(".nodes[]")}
    assert len(items) == 5
    for at, node in items.items():
        assert node.get("x-kubernetes-map-type") == "atomic", f"{at}: managedFields would explode"


def test_a_template_has_the_fields_of_a_run() -> None:
    spec = {at: node for at, node in schemas() if at.count(".") == 1 and at.endswith(".spec")}
    run, template = (
        set(spec[f"{kind}.spec"]["properties"])
        for kind in ("AgentWorkflow", "AgentWorkflowTemplate")
    )
    assert template - run == {"description", "triggers"}
    own = {"inputs", "templateRef", "cancel", "skipFinally", "rerun", "ttlSecondsAfterFinished"}
    own |= {"parent", "origin", "requestedBy", "scheduledAt"}
    assert run - template == own


def test_rendering_is_stable() -> None:
    assert generate.render() == generate.render()
    for text in generate.render().values():
        assert "&id" not in text, "an anchor: not every YAML reader follows it"
        assert document(text)["kind"] == "CustomResourceDefinition"


def schema_kinds() -> set[str]:
    """The kinds, which are also the roots of walk()."""
    return {resource.kind for resource in RESOURCES}


class Leaf(BaseModel):
    """A leaf."""

    name: str = Field(max_length=5, description="Name.")


class Tree(BaseModel):
    """A tree."""

    children: "list[Tree]" = Field(max_length=2, description="Children.")


def model(annotation: Any, **field: Any) -> type[BaseModel]:
    """A model with one field x."""
    namespace = {"__annotations__": {"x": annotation}, "x": Field(**field)}
    return type("Sample", (BaseModel,), namespace)


RENDERED = [
    pytest.param(
        Any,
        {},
        {"description": "X.", "nullable": True, "x-kubernetes-preserve-unknown-fields": True},
        "no type: scalars, lists and null are values too",
        id="any-value",
    ),
    pytest.param(
        dict[str, Any],
        {},
        {"description": "X.", "type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "an object, and CEL may ask whether it is there",
        id="any-object",
    ),
    pytest.param(
        dict[str, Leaf],
        {"max_length": 3},
        {
            "description": "X.",
            "type": "object",
            "maxProperties": 3,
            "additionalProperties": {
                "description": "A leaf.",
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"description": "Name.", "type": "string", "maxLength": 5}},
            },
        },
        "references are inlined, values keep their own schema",
        id="map-of-models",
    ),
    pytest.param(
        Annotated[int, Field(gt=0)] | None,
        {"default": None},
        {"description": "X.", "type": "integer", "minimum": 0, "exclusiveMinimum": True},
        "OpenAPI 3.0 writes an exclusive bound as a flag; null is absence",
        id="optional-exclusive",
    ),
    pytest.param(
        Annotated[str | int, Field(json_schema_extra={"x-kubernetes-int-or-string": True})] | None,
        {"default": None},
        {"description": "X.", "x-kubernetes-int-or-string": True},
        "the marker replaces the union",
        id="int-or-string",
    ),
    pytest.param(
        list[int],
        {"max_length": 2},
        {
            "description": "X.",
            "type": "array",
            "maxItems": 2,
            "x-kubernetes-list-type": "atomic",
            "items": {"type": "integer"},
        },
        "a list without a key is replaced as a whole",
        id="list",
    ),
]


@pytest.mark.parametrize(("annotation", "field", "expected", "reason"), RENDERED)
def test_rendered(
    annotation: Any, field: dict[str, Any], expected: dict[str, Any], reason: str
) -> None:
    sample = model(annotation, description="X.", **field)
    assert structural(sample, {})["properties"]["x"] == expected, reason


REFUSED = [
    pytest.param(model(int), "Sample.x: has no description", id="undescribed"),
    pytest.param(model(str, description="X."), "Sample.x: a string needs", id="endless-string"),
    pytest.param(model(list[int], description="X."), "Sample.x: a list needs", id="endless-list"),
    pytest.param(
        model(dict[str, int], description="X."), "Sample.x: a map needs", id="endless-map"
    ),
    pytest.param(model(int | bool, description="X."), "Sample.x: is a union of 2", id="union"),
    pytest.param(
        model(int, multiple_of=2, description="X."),
        "Sample.x: the keyword multipleOf",
        id="keyword",
    ),
    pytest.param(Tree, "Tree.children[]: Tree contains itself", id="recursion"),
]


@pytest.mark.parametrize(("sample", "message"), REFUSED)
def test_what_a_crd_cannot_hold_is_refused_by_name(sample: type[BaseModel], message: str) -> None:
    with pytest.raises(UnstructuralError) as refused:
        structural(sample, {})
    assert str(refused.value).startswith(message)


def test_a_field_may_have_the_docstring_of_its_type_as_description() -> None:
    """Pydantic leaves out a description that equals that of the type: from Python 3.13 on, whose
    compiler removes indentation, also one of several lines."""

    class Inner(BaseModel):
        """An inner thing."""

        size: int = Field(description="Size.")

    class Outer(BaseModel):
        """An outer thing."""

        inner: Inner = Field(description=Inner.__doc__)

    assert structural(Outer, {})["properties"]["inner"]["description"] == "An inner thing."


def test_rules_hang_on_the_model_and_on_the_pattern() -> None:
    class Named(BaseModel):
        """A named thing."""

        name: str = Field(max_length=5, pattern="^a$", description="Name.")

    rendered = structural(Named, {"Named": [{"rule": "1 == 1"}], "^a$": [{"rule": "2 == 2"}]})
    assert rendered[openapi.VALIDATIONS] == [{"rule": "1 == 1"}]
    name = rendered["properties"]["name"]
    assert name[openapi.VALIDATIONS] == [{"rule": "2 == 2"}]


def test_every_rule_has_a_row() -> None:
    rows = [
        *STRICT,
        *endpoints.REFUSED,
        *events.REFUSED,
        *memory.REFUSED,
        *events.TRANSITIONS,
        *memory.TRANSITIONS,
        *schedules.REFUSED,
        *sources.REFUSED,
        *LENIENT,
        *TRANSITIONS,
        *VOTES,
        *templates.REFUSED,
        *templates.TRANSITIONS,
        *children.TRANSITIONS,
        *identity.TRANSITIONS,
    ]
    expected = [part for row in rows for part in row.values[-1]]
    for key, rules in RULES.items():
        for rule in itertools.chain.from_iterable(rule.parts or (rule,) for rule in rules):
            literals = [part.strip()[:20] for part in rule.message if not isinstance(part, Cel)]
            telling = [text for text in literals if len(text) > 10]
            found = any(text in part for text in telling for part in expected)
            assert found, f"{key}: no row of the tables expects any of {telling}"
