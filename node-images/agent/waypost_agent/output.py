"""The output of an agent: how the model is asked for it, and whether it meets the schema."""

from typing import Any, Final

from pydantic_ai import NativeOutput, PromptedOutput, StructuredDict, ToolOutput
from pydantic_ai.exceptions import ModelRetry, UserError
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json

from waypost_agent.agent_request import JSON_OBJECT, JSON_SCHEMA

TOOL: Final = "final_result"  # by which the model gives its output
_DESCRIPTION: Final = "The final output."
_WRAPPED: Final = "value"  # arguments of a tool are an object; another value is put into one
_SHOWN: Final = 4  # kilobytes, of a schema in words


class Output:
    """What the node's outputSchema makes of the model's answers. None takes any text. `mode`: how
    the model is asked for one with a schema (agent_request.TOOLS, JSON_SCHEMA, JSON_OBJECT)."""

    def __init__(self, output_schema: Json | None, *, mode: str) -> None:
        self._mode = mode
        self._schema = output_schema
        self._text = output_schema is None or _type_of(output_schema) == "string"
        self._wrapped = not self._text and _type_of(output_schema) != "object"
        self._without_values: dict[str, str] = {}
        self.problem: str | None = None  # of the last answer

    @property
    def type(self) -> Any:
        """What pydantic-ai calls the output type: text, or a form of asking for the schema."""
        if self._text:
            return str
        shown = _in_object(self._schema) if self._wrapped else dict(self._schema or {})
        structured = _structured(shown)
        if self._mode == JSON_SCHEMA:
            return NativeOutput(structured, name=TOOL, description=_DESCRIPTION)
        if self._mode == JSON_OBJECT:
            return PromptedOutput(structured, name=TOOL, description=_DESCRIPTION)
        return ToolOutput(structured, name=TOOL, description=_DESCRIPTION)

    def taken(self, value: Any) -> Json:
        """The node's output of an answer. Raises ModelRetry, with what is wrong in it."""
        if self._wrapped:
            if not isinstance(value, dict) or set(value) != {_WRAPPED}:
                raise self._retry(f"expected an object with one property, {_WRAPPED}")
            value = value[_WRAPPED]
        try:
            checked = ijson.check(value)
        except ijson.IJsonError as error:
            raise self._retry(str(error)) from None
        if self._schema is None:
            return checked
        violations = schema.validate(self._schema, checked)
        if violations:
            safe = "; ".join(f"{each.path}: expected {each.expected}" for each in violations)
            raise self._retry("; ".join(map(str, violations)), safe=safe)
        return checked

    def without_values(self, problem: str) -> str:
        """The problem of an answer, without anything that the answer holds."""
        return self._without_values.get(problem, problem)

    def _retry(self, problem: str, *, safe: str | None = None) -> ModelRetry:
        self.problem = problem
        self._without_values[problem] = safe or problem
        return ModelRetry(problem)


def _type_of(part: Json) -> Json:
    return part.get("type") if isinstance(part, dict) else None


def _in_object(inner: Json) -> dict[str, Json]:
    """An object with the one property of this schema; references inside it still hold."""
    moved = schema.rewrite(inner, _moved)
    whole: dict[str, Json] = {
        "type": "object",
        "properties": {_WRAPPED: moved},
        "required": [_WRAPPED],
        "additionalProperties": False,
    }
    if isinstance(moved, dict) and "$defs" in moved:
        whole["$defs"] = moved.pop("$defs")
    return whole


def _moved(part: dict[str, Json]) -> Json:
    target = str(part.get("$ref", ""))
    inside = target == "#" or target.startswith("#/")
    if not inside or target.startswith("#/$defs/"):
        return part
    return part | {"$ref": f"#/properties/{_WRAPPED}{target[1:]}"}


def _structured(shown: dict[str, Json]) -> Any:
    try:
        return StructuredDict(shown)
    except UserError:
        # A tool cannot have a schema that refers to itself: the model reads it as text, and the
        # output is validated as always.
        text = ijson.canonical(shown).decode()[: _SHOWN * 1024]
        return StructuredDict({"type": "object"}, description=f"It must meet this schema: {text}")
