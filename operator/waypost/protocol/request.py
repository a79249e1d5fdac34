"""The request document: what one attempt is asked to do, read by the pod."""

from typing import Any, NamedTuple

from waypost.protocol.ijson import Json

VERSION = 1


# A NamedTuple: importing dataclasses would be a sixth of the runner's cold start.
class Request(NamedTuple):
    """All an attempt may know. Times in seconds; absent schemas allow anything."""

    run_name: str
    namespace: str
    run_uid: str
    path: str
    kind: str
    round: int
    attempt: int
    fingerprint: str
    idempotency_key: str
    timeout_seconds: float | None
    traceparent: str | None
    inputs: dict[str, Json]
    input_schema: Json | None
    output_schema: Json | None
    python_source: str | None

    def to_json(self) -> dict[str, Json]:
        """The document, absent optionals left out."""
        document: dict[str, Json] = {
            "v": VERSION,
            "run": {"name": self.run_name, "namespace": self.namespace, "uid": self.run_uid},
            "path": self.path,
            "kind": self.kind,
            "round": self.round,
            "attempt": self.attempt,
            "fingerprint": self.fingerprint,
            "idempotencyKey": self.idempotency_key,
            "inputs": self.inputs,
        }
        optional = {
            "timeoutSeconds": self.timeout_seconds,
            "traceparent": self.traceparent,
            "inputSchema": self.input_schema,
            "outputSchema": self.output_schema,
            "python": None if self.python_source is None else {"source": self.python_source},
        }
        return document | {key: value for key, value in optional.items() if value is not None}


def from_json(document: Json) -> Request:
    """Read a document. Raises ValueError that names the field which is missing or wrong."""
    if not isinstance(document, dict):
        raise ValueError("the request is not an object")
    if document.get("v") != VERSION:
        raise ValueError(f"v: expected {VERSION}, found {document.get('v')!r}")
    run = _field(document, "run", dict)
    python = document.get("python")
    return Request(
        run_name=_field(run, "name", str),
        namespace=_field(run, "namespace", str),
        run_uid=_field(run, "uid", str),
        path=_field(document, "path", str),
        kind=_field(document, "kind", str),
        round=_field(document, "round", int),
        attempt=_field(document, "attempt", int),
        fingerprint=_field(document, "fingerprint", str),
        idempotency_key=_field(document, "idempotencyKey", str),
        timeout_seconds=document.get("timeoutSeconds"),
        traceparent=document.get("traceparent"),
        inputs=_field(document, "inputs", dict),
        input_schema=document.get("inputSchema"),
        output_schema=document.get("outputSchema"),
        python_source=_field(python, "source", str) if isinstance(python, dict) else None,
    )


def _field(document: dict[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected {kind.__name__}, found {type(value).__name__}")
    return value
