"""Chat completions as other servers than OpenAI's take them. Imported only for a provider of type
OpenAI: it brings that library."""

from dataclasses import replace
from typing import Any, cast

from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.tools import ToolDefinition
from waypost.protocol import schema
from waypost.protocol.ijson import Json


class CompatibleChatModel(OpenAIChatModel):
    """Shows a model the schemas that its answers are judged by."""

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        """The parameters with tools as their schemas say: the library closes every object that is
        silent, so that a map of anything could only be empty."""
        asked = model_request_parameters.output_object
        parameters = replace(
            model_request_parameters,
            function_tools=_opened(model_request_parameters.function_tools),
            output_tools=_opened(model_request_parameters.output_tools),
            output_object=asked and replace(asked, json_schema=_opened_schema(asked.json_schema)),
        )
        return super().customize_request_parameters(parameters)


def _open(part: dict[str, Json]) -> Json:
    """An object schema that is silent about other properties, which allows them, says so."""
    silent = "additionalProperties" not in part and "unevaluatedProperties" not in part
    type_ = part.get("type")
    types = type_ if isinstance(type_, list) else [type_]
    is_object = "object" in types or "properties" in part
    return part | {"additionalProperties": True} if silent and is_object else part


def _opened_schema(whole: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], schema.rewrite(whole, _open))


def _opened(tools: list[ToolDefinition]) -> list[ToolDefinition]:
    return [
        replace(
            tool,
            parameters_json_schema=_opened_schema(tool.parameters_json_schema),
        )
        for tool in tools
    ]
