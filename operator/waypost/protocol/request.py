"""The request document: what one attempt is asked to do, read by the pod."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from waypost.protocol.ijson import Json

VERSION = 1
_T = TypeVar("_T")


# NamedTuples: importing dataclasses would be a sixth of the runner's cold start.
class PythonWork(NamedTuple):
    """What a `python` node runs: the function `run` of `source`, or `function`, written
    `module:name`. Exactly one of them."""

    source: str | None = None
    function: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The one that is set."""
        return {key: value for key, value in self._asdict().items() if value is not None}


class Request(NamedTuple):
    """All an attempt may know. Times in seconds; absent schemas allow anything.

    `modules` are sources that the node's code may import, by name. `gateway` is the base URL where
    payloads are kept. `stored_inputs` is the digest of inputs that are too big to ride along: they
    are fetched from the gateway, and `inputs` is empty until then. `agent` and `http` are as
    docs/adr/0008-agent-nodes.md has them; the programs of those kinds read them.
    """

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
    python: PythonWork | None = None
    modules: dict[str, str] | None = None
    agent: dict[str, Json] | None = None
    http: dict[str, Json] | None = None
    gateway: str | None = None
    stored_inputs: str | None = None

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
        }
        optional = {
            "timeoutSeconds": self.timeout_seconds,
            "traceparent": self.traceparent,
            "inputSchema": self.input_schema,
            "outputSchema": self.output_schema,
            "python": self.python.to_json() if self.python else None,
            "modules": self.modules,
            "agent": self.agent,
            "http": self.http,
            "gateway": self.gateway,
            "inputs": self.inputs if self.stored_inputs is None else None,
            "storedInputs": self.stored_inputs,
        }
        return document | {key: value for key, value in optional.items() if value is not None}


def from_json(document: Json) -> Request:
    """Read a document. Raises ValueError that names the field which is missing or wrong."""
    if not isinstance(document, dict):
        raise ValueError("the request is not an object")
    if document.get("v") != VERSION:
        raise ValueError(f"v: expected {VERSION}, found {document.get('v')!r}")
    run = _object(document, "run")
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
        traceparent=_optional(_text, document, "traceparent"),
        inputs={} if "storedInputs" in document else _object(document, "inputs"),
        input_schema=document.get("inputSchema"),
        output_schema=document.get("outputSchema"),
        python=_python(document),
        modules=_optional(_sources, document, "modules"),
        agent=_optional(_object, document, "agent"),
        http=_optional(_object, document, "http"),
        gateway=_optional(_text, document, "gateway"),
        stored_inputs=_optional(_text, document, "storedInputs"),
    )


def _optional(
    read: Callable[[dict[str, Any], str], _T], document: dict[str, Any], name: str
) -> _T | None:
    return read(document, name) if name in document else None


def _python(document: dict[str, Any]) -> PythonWork | None:
    found = _optional(_object, document, "python")
    if found is None:
        return None
    if "function" in found:
        return PythonWork(function=_text(found, "function", inside="python."))
    return PythonWork(source=_text(found, "source", inside="python."))


def _sources(document: dict[str, Any], name: str) -> dict[str, str]:
    found = _object(document, name)
    return {module: _text(found, module, inside=f"{name}.") for module in found}


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
