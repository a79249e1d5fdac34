"""The body of a call: parsed, judged, and written again, so that no two parsers can differ."""

import json
from dataclasses import dataclass
from typing import Any, Final

from waypost.model_gateway.core import strict_json
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.core.routing import require_model

# Fields with which proxies for models let a caller choose the destination, the key or the model.
_FORBIDDEN: Final = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "base_url",
        "custom_llm_provider",
        "extra_headers",
        "extra_query",
        "fallbacks",
        "headers",
        "model_list",
        "mock_response",
        "organization",
        "proxy_server_request",
        "user_config",
    }
)


@dataclass(frozen=True)
class Body:
    """A body that may be forwarded, as it is sent, and its fields."""

    fields: dict[str, Any]

    @property
    def encoded(self) -> bytes:
        """The bytes that are sent."""
        return json.dumps(self.fields, ensure_ascii=False, separators=(",", ":")).encode()


def judged(body: bytes, *, model: str | None) -> Body:
    """Parse a body. Slow for large ones.

    Args:
        body: What the pod sent.
        model: The model that it must name; None where the path names it.

    Raises:
        CallRefused: It is no JSON object, names another model, or has a field that may not be.
    """
    try:
        fields = strict_json.loads(body)
        Body(fields).encoded  # noqa: B018 -- lone surrogates
    except (ValueError, RecursionError) as error:
        text = f"the body is not valid JSON: {type(error).__name__}"
        raise CallRefused(CallRefusal.BAD_REQUEST, text) from None
    if not isinstance(fields, dict):
        raise CallRefused(CallRefusal.BAD_REQUEST, "expected a JSON object as the body")
    if found := sorted(_FORBIDDEN & {name.lower() for name in fields}):
        text = f"the field {found[0]} is not forwarded: the ModelProvider says where calls go"
        raise CallRefused(CallRefusal.FIELD, text)
    if model is not None:
        require_model(fields.get("model"), model)
    return Body(fields)
