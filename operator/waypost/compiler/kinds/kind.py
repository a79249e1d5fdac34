"""What a kind of node provides to the compiler, with defaults for most kinds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from waypost.api.base import Effect, JsonObject, Model
from waypost.api.kinds.agent import AgentLimits
from waypost.api.pod import EnvVar
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem
from waypost.compiler.types.schemas import Linked, Unknown
from waypost.protocol.ijson import Json

Fields = Iterator[tuple[str, Any]]


def no_fields(node: Node) -> Fields:
    """For kinds without such fields."""
    return iter(())


def no_problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    """For kinds without special checks."""
    return iter(())


def declared_output(node: Node, once: Linked) -> Json:
    """The schema that the node declares; Unknown if it declares none."""
    return Unknown() if node.output_schema is None else once.of(node.output_schema)


def idempotent(node: Node) -> Effect:
    """For kinds whose repetition is harmless."""
    return "idempotent"


def no_code(node: Node) -> str:
    """For kinds that run no Python code of the spec."""
    return ""


def wire(model: Model) -> JsonObject:
    """The fields of a model that are set, as a manifest has them."""
    return model.model_dump(by_alias=True, exclude_none=True, mode="json")


def no_candidates(node: Node) -> tuple[str, ...]:
    """For kinds that do not choose between nodes."""
    return ()


def same_work(work: JsonObject) -> JsonObject:
    """For kinds of which each field determines the result."""
    return work


def no_defaults(spec: AgentWorkflowSpec, node: Node) -> JsonObject | None:
    """For kinds whose result does not depend on spec.defaults, or on spec.templates."""
    return None


def env_fields(kind: str, env: list[EnvVar] | None) -> Fields:
    """The evaluated values of environment variables."""
    for index, variable in enumerate(env or []):
        if variable.value is not None:
            yield f"{kind}.env[{index}].value", variable.value


@dataclass(frozen=True)
class CompilerKind:
    """One kind of node, for the compiler. Field paths are relative to the node.

    Attributes:
        name: As in `api.kinds`.
        evaluated_fields: Fields with `${...}`, with their values, in order.
        program_texts: Fields with texts for other programs, in which `${` may mean something else.
        code_fields: Names of the block's attributes that hold code.
        schema_fields: Names of the block's attributes that hold a JSON Schema.
        durations: Fields with a duration of the kind, with their texts.
        problems: The checks of this kind, in addition to those for all kinds.
        output_type: The schema of `nodes.x.output`.
        effect: The effect of running the node twice, if the node does not declare it.
        has_exit_codes: Whether the exit code of the program says how it failed.
        code: Python code that may mention names of spec.modules.
        fingerprinted_work: The part of the block that determines the result.
        fingerprinted_defaults: The defaults of the run that apply to the node.
        fingerprinted_template: The local template that the node calls.
        candidates: The nodes between which the node chooses. Its output is that of one of them,
            and it does not wait for the others.
        variables: The variables that only fields of this kind have, by field.
        conditions: Fields that are one expression, true or false, evaluated for each candidate.
        limits: The limits of one attempt, for a kind that uses the budget of the run; else None.
    """

    name: str
    evaluated_fields: Callable[[Node], Fields] = no_fields
    program_texts: tuple[str, ...] = ()
    code_fields: tuple[str, ...] = ()
    schema_fields: tuple[str, ...] = ()
    durations: Callable[[Node], Iterator[tuple[str, str | None]]] = no_fields
    problems: Callable[[AgentWorkflowSpec, Node], Iterator[Problem]] = no_problems
    output_type: Callable[[Node, Linked], Json] = declared_output
    effect: Callable[[Node], Effect] = idempotent
    has_exit_codes: bool = False
    code: Callable[[Node], str] = no_code
    fingerprinted_work: Callable[[JsonObject], JsonObject] = same_work
    fingerprinted_defaults: Callable[[AgentWorkflowSpec, Node], JsonObject | None] = no_defaults
    fingerprinted_template: Callable[[AgentWorkflowSpec, Node], JsonObject | None] = no_defaults
    candidates: Callable[[Node], tuple[str, ...]] = no_candidates
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()
    limits: Callable[[AgentWorkflowSpec, Node], AgentLimits] | None = None


_M = TypeVar("_M", bound=Model)


def merged(model: type[_M], *layers: _M | None) -> _M:
    """The fields of `layers`, later ones over earlier ones."""
    fields: JsonObject = {}
    for layer in layers:
        if layer is not None:
            fields |= layer.model_dump(exclude_none=True)
    return model.model_validate(fields)
