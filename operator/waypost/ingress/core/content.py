"""What a request says: its JSON, its CloudEvent attributes, its headers and its id."""

import hashlib
from typing import Any, Final

from waypost.api.source.model import EventSourceSpec
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.refusals import Refused, Why
from waypost.ingress.core.signatures import signed_id
from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.sources.check import CLOUD_EVENT
from waypost.sources.judge import Content

_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch"
_MOST_VALUES: Final = 100_000  # each takes some 100 bytes while it is checked
# The field of a body that is the id of a request.
_BODY_ID: Final = {"Stripe": "id", "Slack": "event_id"}


def content_of(spec: EventSourceSpec, headers: Headers, body: bytes) -> Content:
    """The content of a request.

    Args:
        spec: The source.
        headers: All headers of the request.
        body: Its bytes.

    Raises:
        Refused: The body is no JSON, or in a form that is not supported.
    """
    media_type = _media_type(headers)
    value = _json(body)
    attributes = {name: headers.joined(name) for name in CLOUD_EVENT}
    if media_type == _STRUCTURED:
        value, attributes = _structured(value)
    elif not headers.joined("ce-specversion"):
        attributes = dict.fromkeys(CLOUD_EVENT, "")
    listed = {name: headers.joined(name) for name in spec.headers or ()}
    id_ = _id(spec, headers, value, attributes) or f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Content(value, {**listed, **attributes}, id_)


def _media_type(headers: Headers) -> str:
    if headers.joined("content-encoding") not in ("", "identity"):
        text = "Content-Encoding is not supported; send the body as it is"
        raise Refused(Why.CONTENT_TYPE, text)
    found = headers.joined("content-type").partition(";")[0].strip().lower()
    if found.startswith(_BATCH):
        raise Refused(Why.CONTENT_TYPE, "send each CloudEvent in a separate request, not a batch")
    if found and found != "application/json" and not found.endswith("+json"):
        text = f"expected application/json or application/cloudevents+json, found {found[:80]}"
        raise Refused(Why.CONTENT_TYPE, text)
    return found


def _json(body: bytes) -> Json:
    # Characters inside strings count too, so the count is never too low.
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > _MOST_VALUES:
        text = f"the body has up to {values} values, the limit is {_MOST_VALUES}"
        raise Refused(Why.TOO_LARGE, text)
    try:
        return ijson.parse(body, big_integers_as_text=True)
    except (ijson.IJsonError, RecursionError) as error:
        raise Refused(Why.NOT_JSON, f"the body is not I-JSON: {error}") from None


def _structured(event: Json) -> tuple[Json, dict[str, str]]:
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise Refused(Why.NOT_JSON, "expected a CloudEvent: an object with id, source and type")
    if "data_base64" in event:
        raise Refused(Why.CONTENT_TYPE, "data_base64 is not supported; send JSON in data")
    found: dict[str, Any] = {name: event.get(name.removeprefix("ce-")) for name in CLOUD_EVENT}
    attributes = {name: value if isinstance(value, str) else "" for name, value in found.items()}
    return event.get("data"), attributes


def _id(spec: EventSourceSpec, headers: Headers, value: Json, attributes: dict[str, str]) -> str:
    """The id that the sender gives; "" if it gives none that its signature covers."""
    signed = spec.auth.hmac
    if signed is None:
        return "\n".join(filter(None, (attributes["ce-source"], attributes["ce-id"])))
    if signed.preset in _BODY_ID and isinstance(value, dict):
        found = value.get(_BODY_ID[signed.preset])
        return found if isinstance(found, str) else ""
    return signed_id(signed.preset, headers)
