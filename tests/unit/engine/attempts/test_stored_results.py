"""Results that the gateway took: which records count, and what they become."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.base import JsonValue
from waypost.engine.state.decision import Launch, PutRecord
from waypost.engine.state.observed import Observed
from waypost.kube import node_records
from waypost.kube.facts.pods import PodFact
from waypost.kube.payloads import AttemptRef, Payload, RecordFact
from waypost.protocol import ijson
from waypost.protocol.record import CommitRecord, Stored, encode

from tests.support.builders import (
    NOW,
    RUN,
    RUN_UID,
    SETTINGS,
    done,
    exited,
    failure_record,
    in_flight,
    job,
    observed,
    pod,
    python,
    ref,
    spec,
    status,
)
from tests.support.passes import decide, required_reads

WHOSE = AttemptRef(RUN, RUN_UID, "a", 1, 1)
NAME = WHOSE.record_name("Result")
VALUE = {"text": "x" * 5000}
DIGEST = ijson.digest(VALUE)
GATEWAY = replace(SETTINGS, gateway_url="http://gateway")


def fact(value: JsonValue = VALUE, **changes: Any) -> RecordFact:
    """The NodeRecord of attempt 1 of node a."""
    payload = Payload(ijson.digest(value), len(ijson.canonical(value)), read=True, value=value)
    made = RecordFact(NAME, "Result", RUN_UID, "a", 1, 1, RUN_UID, payload)
    return replace(made, **changes)


def stored(digest: str = DIGEST) -> PodFact:
    """A pod whose commit record says that its output is at the gateway."""
    made = CommitRecord(ref(), "Succeeded", stored=Stored(digest, 5011))
    return exited(message=encode(made).decode())


def seen(*pods: PodFact, kept: RecordFact | None, node: Any = None, **fields: Any) -> Observed:
    found = {"pods": pods, "records": {NAME: kept}, "status": status(in_flight()), **fields}
    return observed(spec(node or python("a"), python("b", dependsOn=["a"])), **found)


@pytest.mark.parametrize(
    ("pod", "wanted"),
    [
        pytest.param(stored(), True, id="says-stored"),
        pytest.param(exited(code=0), True, id="no-record"),
        pytest.param(exited(code=137), True, id="killed-without-record"),
        pytest.param(exited(message="{"), True, id="malformed-record"),
        pytest.param(done({"n": 1}), False, id="record-with-output"),
        pytest.param(exited(code=1, message=failure_record()), False, id="record-of-a-failure"),
        pytest.param(exited(message="x" * 4096), False, id="too-large-decides"),
        pytest.param(pod(phase="Failed", scheduled=False), False, id="no-machine-took-it"),
        pytest.param(
            pod(phase="Failed", pod_reason="OutOfcpu"), False, id="its-machine-refused-it"
        ),
    ],
)
def test_a_record_is_looked_for_when_the_pod_does_not_tell(pod: PodFact, wanted: bool) -> None:
    asked = observed(spec(python("a")), pods=(pod,), status=status(in_flight()))
    assert required_reads(asked, NOW).records == (frozenset({NAME}) if wanted else frozenset())


@pytest.mark.parametrize(
    ("pod", "kept", "phase", "reason"),
    [
        pytest.param(stored(), fact(), "Succeeded", None, id="stored"),
        pytest.param(exited(code=137), fact(), "Succeeded", None, id="killed-after-upload"),
        pytest.param(exited(code=0), fact(), "Succeeded", None, id="no-record-but-kept"),
        pytest.param(stored(), None, "Failed", "ResultLost", id="stored-but-nowhere"),
        pytest.param(
            stored(f"sha256:{'0' * 64}"), fact(), "Failed", "ResultLost", id="another-digest"
        ),
        pytest.param(stored(), fact(owner_uid="eve"), "Failed", "ResultLost", id="of-nobody"),
        pytest.param(stored(), fact(attempt=2), "Failed", "ResultLost", id="other-attempt"),
        pytest.param(stored(), fact(problem="damaged"), "Failed", "ResultLost", id="damaged"),
        pytest.param(
            exited(code=1, message=failure_record()), fact(), "Failed", "NodeError", id="its-word"
        ),
        pytest.param(exited(code=0), None, "Failed", "ResultLost", id="nothing-at-all"),
    ],
)
def test_what_a_record_makes_of_an_attempt(
    pod: PodFact, kept: RecordFact | None, phase: str, reason: str | None
) -> None:
    node = python("a", retry={"limit": 0})
    decision = decide(seen(pod, kept=kept, node=node), NOW, GATEWAY)
    found = decision.status.nodes[0]
    assert (found.phase, found.reason) == (phase, reason), found.message
    if phase == "Succeeded":
        assert (found.output_record, found.output, found.output_digest) == (NAME, None, DIGEST)
        assert not [each for each in decision.before if isinstance(each, PutRecord)], "no copy"


def test_a_kept_output_meets_its_schema_or_fails() -> None:
    node = python("a", outputSchema={"required": ["title"]})
    found = decide(seen(stored(), kept=fact(), node=node), NOW, GATEWAY).status.nodes[0]
    assert (found.phase, found.reason) == ("Failed", "OutputInvalid")


def test_a_job_whose_pod_is_gone_may_have_left_its_result() -> None:
    ended = job(ended=True)
    asked = seen(kept=fact(), jobs={ended.name: ended}, live=True)
    assert required_reads(replace(asked, records={}), NOW).records == {NAME}
    assert decide(asked, NOW, GATEWAY).status.nodes[0].phase == "Succeeded"


def test_an_output_too_big_for_expressions_says_so_where_it_is_used() -> None:
    big = fact(payload=Payload(DIGEST, 20_000_000))
    raw = spec(python("a"), python("b", inputs={"x": "${nodes.a.output}"}))
    asked = observed(raw, pods=(stored(),), records={NAME: big}, status=status(in_flight()))
    a, b = decide(asked, NOW, GATEWAY).status.nodes
    assert (a.phase, a.output_record) == ("Succeeded", NAME)
    assert (b.phase, b.reason) == ("Failed", "InputInvalid")
    assert "20000000 bytes" in (b.message or "")
    assert "1048576" in (b.message or "")


def test_inputs_above_a_config_map_wait_at_the_gateway() -> None:
    raw = spec(python("a"), python("b", inputs={"x": "${nodes.a.output.text}"}))
    large = fact({"text": "lorem ipsum " * 85_000})
    pod = stored(large.payload.digest)
    asked = observed(raw, pods=(pod,), records={NAME: large}, status=status(in_flight()))
    (launch,) = [x for x in decide(asked, NOW, GATEWAY).after if isinstance(x, Launch)]
    assert launch.config_map is None or "request.json" in launch.config_map["data"]
    nodes = [python(f"n{n}", inputs={}) for n in range(2)]
    both = {"x": "${nodes.n0.output.text}", "y": "${nodes.n1.output.text}"}
    raw = spec(*nodes, python("b", inputs=both))
    facts = {}
    for node in ("n0", "n1"):
        name = replace(WHOSE, path=node).record_name("Result")
        facts[name] = replace(large, name=name, path=node)
    pods = tuple(
        exited(
            node,
            message=encode(
                CommitRecord(ref(node), "Succeeded", stored=Stored(large.payload.digest, 1))
            ).decode(),
        )
        for node in ("n0", "n1")
    )
    flying = status(in_flight("n0"), in_flight("n1"))
    asked = observed(raw, pods=pods, records=facts, status=flying)
    (launch,) = [x for x in decide(asked, NOW, GATEWAY).after if isinstance(x, Launch)]
    assert launch.input_record is not None
    assert launch.input_record["spec"]["type"] == "Input"
    kept = node_records.record_fact(launch.input_record, limit=node_records.LARGEST)
    assert kept.payload.value["x"] == kept.payload.value["y"] == "lorem ipsum " * 85_000
    without = decide(asked, NOW, SETTINGS).status.nodes[2]
    assert (without.phase, without.reason) == ("Failed", "InputTooLarge")


def test_a_record_is_never_unpacked_beyond_its_size() -> None:
    bomb = node_records.form_of("a" * 5_000_000, ijson.canonical("a" * 5_000_000))
    assert bomb is not None
    with pytest.raises(ValueError, match="expected 100000 bytes"):
        node_records.inflate(bomb["compressed"], 100_000)
