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
    run = _object(document, "run")
    python = _object(document, "python") if "python" in document else None
    return Request(
        run_name=_text(run, "name", inside="run."),
        namespace=_text(run, "namespace", inside="run."),
        run_uid=_text(run, "uid", inside="run."),
        path=_text(document, "path"),
        kind=_text(document, "kind"),
        round=_count(document, "round"),
        attempt=_count(document, "attempt"),
        fingerprint=_text(document, "fingerprint"),
        idempotency_key=_text(document, "idempotencyKey"),
        timeout_seconds=_seconds(document, "timeoutSeconds"),
        traceparent=_text(document, "traceparent") if "traceparent" in document else None,
        inputs=_object(document, "inputs"),
        input_schema=document.get("inputSchema"),
        output_schema=document.get("outputSchema"),
        python_source=None if python is None else _text(python, "source", inside="python."),
    )


def _text(document: dict[str, Any], name: str, *, inside: str = "") -> str:
    value = document.get(name)
    if isinstance(value, str):
        return value
    raise _wrong(inside + name, "a string", value)


def _object(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if isinstance(value, dict):
        return value
    raise _wrong(name, "an object", value)


def _count(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    # An exact type: True is an int to isinstance.
    if type(value) is int and value >= 1:
        return value
    raise _wrong(name, "an integer of at least 1", value)


def _seconds(document: dict[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None or (type(value) in (int, float) and value > 0):
        return value
    raise _wrong(name, "a positive number", value)


def _wrong(name: str, expected: str, found: object) -> ValueError:
    return ValueError(f"{name}: expected {expected}, found {found!r:.60}")
