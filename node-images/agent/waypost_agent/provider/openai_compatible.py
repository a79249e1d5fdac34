"""Chat completions of servers that leave out or misspell what OpenAI sends. Imported only for a
provider of type OpenAI: it brings that library."""

import json
from dataclasses import replace
from typing import Any, cast

from openai.types.chat import ChatCompletion
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.tools import ToolDefinition
from waypost.protocol import schema
from waypost.protocol.ijson import Json


class CompatibleChatModel(OpenAIChatModel):
    """Takes an answer whose text and tool calls are clear, whatever else is missing in it."""

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

    def _validate_completion(self, response: ChatCompletion) -> Any:
        document = completed(response.model_dump(warnings=False))
        return super()._validate_completion(ChatCompletion.model_construct(**document))


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """A chat completion with the fields that the library demands; what is there stays."""
    usual = {"id": "", "object": "chat.completion", "created": 0, "model": ""}
    choices = document.get("choices")
    return {
        **document,
        **{name: value for name, value in usual.items() if document.get(name) is None},
        "choices": [
            _choice(each, index) if isinstance(each, dict) else each
            for index, each in enumerate(choices)
        ]
        if isinstance(choices, list)
        else choices,
        "usage": _usage(document.get("usage")),
    }


def _choice(choice: dict[str, Any], index: int) -> dict[str, Any]:
    message = choice.get("message")
    if isinstance(message, dict):
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message = {**message, "tool_calls": [_call(each) for each in calls] or None}
        message = {**message, "role": "assistant"}
    number = choice.get("index")
    return {**choice, "index": index if number is None else number, "message": message}


def _call(call: Any) -> Any:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        return call
    arguments = call["function"].get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments)
    function = {**call["function"], "arguments": arguments}
    return {**call, "id": call.get("id") or "", "type": "function", "function": function}


def _usage(usage: Any) -> Any:
    """The tokens, with zero for one that is not reported: it is estimated then. None for none."""
    if not isinstance(usage, dict):
        return None
    counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    known = {name: value if type(value) is int else 0 for name, value in counts.items()}
    return {**usage, **known, "total_tokens": sum(known.values())}


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
