"""Kind `http`, for the compiler."""

from typing import Final

from waypost.api.base import Effect
from waypost.api.kinds.http import HttpKind
from waypost.api.workflow import Node
from waypost.compiler.kinds.kind import CompilerKind, Fields, declared_output
from waypost.compiler.types.schemas import HEADERS, WHOLE, Linked, Unknown, closed
from waypost.protocol.ijson import Json

_EFFECT_OF_METHOD: Final[dict[str, Effect]] = {
    "GET": "none",
    "HEAD": "none",
    "POST": "once",
    "PATCH": "once",
}


def _work(node: Node) -> HttpKind:
    assert node.http is not None, "called for http nodes only"
    return node.http


def _evaluated(node: Node) -> Fields:
    http = _work(node)
    yield "http.url", http.url
    for key, value in (http.query or {}).items():
        yield f"http.query.{key}", value
    for index, header in enumerate(http.headers or []):
        if header.value is not None:
            yield f"http.headers[{index}].value", header.value
    if http.body is not None:
        yield "http.body", http.body


def _output(node: Node, once: Linked) -> Json:
    if node.output_schema is not None:
        return declared_output(node, once)
    body = _work(node).response_schema
    shape = Unknown() if body is None else once.of(body)
    return closed({"status": WHOLE, "headers": HEADERS, "body": shape})


def _effect(node: Node) -> Effect:
    """The effect by method: safe and idempotent methods are those of RFC 9110, section 9.2. A
    repeated POST or PATCH may take effect twice."""
    return _EFFECT_OF_METHOD.get(_work(node).method or "GET", "idempotent")


KIND: Final = CompilerKind(
    "http",
    evaluated_fields=_evaluated,
    schema_fields=("response_schema",),
    output_type=_output,
    effect=_effect,
)
