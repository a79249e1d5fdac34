"""The request document: what the operator writes is what the pod reads."""

import json
from typing import Any

import pytest
from waypost.protocol.request import PythonWork, Request, from_json

FULL = Request(
    run_name="brief",
    namespace="team",
    run_uid="u",
    path="scan/3",
    kind="python",
    round=2,
    attempt=5,
    fingerprint="f",
    idempotency_key="k",
    timeout_seconds=1.5,
    traceparent="00-a-b-01",
    inputs={"n": None, "text": "ü"},
    input_schema={"type": "object"},
    output_schema=False,
    python=PythonWork(source="def run(): pass"),
    modules={"texttools": "def clean(text): return text"},
    agent={"prompt": "p"},
    http={"url": "http://a"},
    gateway="http://gateway",
)
BARE = FULL._replace(
    timeout_seconds=None,
    traceparent=None,
    inputs={},
    input_schema=None,
    output_schema=None,
    python=None,
    modules=None,
    agent=None,
    http=None,
    gateway=None,
)
FUNCTION = BARE._replace(python=PythonWork(function="billing.tools:total"))
SECRETS = BARE._replace(secret_env=("TOKEN",), secret_folders=("/keys",))
STORED = BARE._replace(stored_inputs="sha256:ab")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(FULL, id="full"),
        pytest.param(BARE, id="bare"),
        pytest.param(FUNCTION, id="function"),
        pytest.param(STORED, id="stored-inputs"),
        pytest.param(SECRETS, id="secrets"),
    ],
)
def test_a_request_reads_back(request_: Request) -> None:
    assert from_json(json.loads(json.dumps(request_.to_json()))) == request_


def test_absent_optionals_are_left_out() -> None:
    assert set(FULL.to_json()) - set(BARE.to_json()) == {
        "timeoutSeconds",
        "traceparent",
        "inputSchema",
        "outputSchema",
        "python",
        "modules",
        "agent",
        "http",
        "gateway",
    }


def test_inputs_are_in_the_document_or_at_the_gateway() -> None:
    assert ("inputs" in BARE.to_json(), "inputs" in STORED.to_json()) == (True, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"v": 2}, "v: expected 1, found 2", id="version"),
        pytest.param({"run": {"name": "a", "namespace": "b"}}, "run.uid: expected", id="nested"),
        pytest.param({"round": True}, "round: expected an integer", id="true-is-no-number"),
        pytest.param({"attempt": 0}, "attempt: expected an integer of at least 1", id="zero"),
        pytest.param({"timeoutSeconds": "5"}, "timeoutSeconds: expected", id="timeout"),
        pytest.param({"timeoutSeconds": 0}, "timeoutSeconds: expected", id="no-time-at-all"),
        pytest.param({"inputs": [1]}, "inputs: expected an object", id="inputs"),
        pytest.param({"python": {}}, "python.source: expected a string", id="source"),
        pytest.param({"python": "x"}, "python: expected an object", id="python"),
        pytest.param({"python": {"function": 1}}, "python.function: expected", id="function"),
        pytest.param({"modules": {"m": 1}}, "modules.m: expected a string", id="module"),
        pytest.param({"agent": []}, "agent: expected an object", id="agent"),
        pytest.param({"http": []}, "http: expected an object", id="http"),
        pytest.param({"gateway": 1}, "gateway: expected a string", id="gateway"),
        pytest.param({"storedInputs": 1}, "storedInputs: expected a string", id="stored-inputs"),
        pytest.param({"traceparent": 1}, "traceparent: expected a string", id="traceparent"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        from_json({**FULL.to_json(), **change})


@pytest.mark.parametrize("document", [None, [], "x"])
def test_only_an_object_is_a_request(document: Any) -> None:
    with pytest.raises(ValueError, match="not an object"):
        from_json(document)
