"""The request document: what the operator asks the pod of one attempt to do."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from waypost.protocol.artifacts.request import Artifacts, artifacts_from_json
from waypost.protocol.ijson import Json

VERSION = 1
_T = TypeVar("_T")


# NamedTuples: importing dataclasses would be a sixth of the runner's cold start.
class PythonWork(NamedTuple):
    """What a `python` node runs; exactly one field is set.

    Attributes:
        source: Python code that defines the function `run`.
        function: A function of the image, written `module:name`.
    """

    source: str | None = None
    function: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The document: the field that is set."""
        return {key: value for key, value in self._asdict().items() if value is not None}


class Request(NamedTuple):
    """All that the pod of an attempt gets from the operator.

    Attributes:
        run_name: Name of the AgentWorkflow.
        namespace: Its namespace.
        run_uid: Its uid.
        path: The node's path.
        kind: The node's kind: python, http or agent.
        round: Number of the round, from 1.
        attempt: Number of the attempt, from 1.
        fingerprint: Hash of all that determines the node's result.
        idempotency_key: Shared by all attempts of the node.
        timeout_seconds: Limit of the attempt; None for no limit.
        traceparent: The attempt's span, in the format of W3C Trace Context.
        inputs: The node's inputs by name; empty while they are only stored.
        input_schema: JSON Schema of the inputs; None allows anything.
        output_schema: JSON Schema of the output; None allows anything.
        python: The code, of a python node.
        modules: Sources that the code may import, by module name.
        agent: The agent's part, as in docs/adr/0008-agent-nodes.md; its program reads it.
        http: The request's part, likewise.
        gateway: Base URL of the gateway; None when there is none.
        stored_inputs: Digest of inputs that are too large and must be fetched from the gateway.
        artifacts: The folders that the node takes and makes; None for none.
        secret_env: Variables whose values must not be in the output: it is remembered.
        secret_folders: Folders whose files must not be in it either.
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
    artifacts: Artifacts | None = None
    secret_env: tuple[str, ...] = ()
    secret_folders: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The document, without optional fields that are None."""
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
            "artifacts": self.artifacts.to_json() if self.artifacts else None,
            "secretEnv": list(self.secret_env) or None,
            "secretFolders": list(self.secret_folders) or None,
        }
        return document | {key: value for key, value in optional.items() if value is not None}


def from_json(document: Json) -> Request:
    """Read a document.

    Raises:
        ValueError: A field is missing or wrong; the message names it.
    """
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
        artifacts=artifacts_from_json(document["artifacts"]) if "artifacts" in document else None,
        secret_env=_texts(document, "secretEnv"),
        secret_folders=_texts(document, "secretFolders"),
    )


def _texts(document: dict[str, Any], name: str) -> tuple[str, ...]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _wrong(name, "a list of strings", found)
    return tuple(found)


def _optional(
    read: Callable[[dict[str, Any], str], _T], document: dict[str, Any], name: str
) -> _T | None:
    return read(document, name) if name in document else None


def _python(document: dict[str, Any]) -> PythonWork | None:
    work = _optional(_object, document, "python")
    if work is None:
        return None
    if "function" in work:
        return PythonWork(function=_text(work, "function", inside="python."))
    return PythonWork(source=_text(work, "source", inside="python."))


def _sources(document: dict[str, Any], name: str) -> dict[str, str]:
    sources = _object(document, name)
    return {module: _text(sources, module, inside=f"{name}.") for module in sources}


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
