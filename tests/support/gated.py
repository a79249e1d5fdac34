"""Agents whose tool calls people decide on, in a play: programs that ask, and people who answer."""

from dataclasses import replace
from typing import Any

from waypost.api.base import JsonObject, JsonValue
from waypost.kube.facts.pods import PodFact
from waypost.kube.payloads import AttemptRef, Payload, RecordFact
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import GatedCall
from waypost.protocol.record import CommitRecord, Stored, encode
from waypost.protocol.work import Usage

from tests.support import builders
from tests.support.builders import RUN_UID, agent
from tests.support.play import Ending, Play, ended_with

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def call(text: str, *, turn: int = 0, tool: str = "send", **fields: Any) -> GatedCall:
    """A call that waits for a decision."""
    made = GatedCall(turn, f"call-{text}", tool, None, {"text": text}, "sha256:0", SCHEMA)
    return made._replace(**fields)


def gated_agent(name: str = "a", **fields: JsonValue) -> JsonObject:
    """An agent that asks ann before it sends anything."""
    tools: JsonValue = [
        {"module": "letters", "functions": ["look", "send"], "requireApproval": ["send"]}
    ]
    approval: JsonValue = fields.pop("toolApproval", {"approvers": {"users": ["ann", "bob"]}})
    return agent(name, tools=tools, toolApproval=approval, **fields)


def asks(play: Play, *calls: GatedCall, document: JsonValue = None, **record: Any) -> Ending:
    """The program ends because people have to decide on these calls."""

    def end(pod: PodFact) -> PodFact:
        value = gated_calls.calls_to_json(calls) if document is None else document
        digest = ijson.digest(value)
        keep(play, pod, value)
        made = CommitRecord(
            builders.ref(pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round),
            "Parked",
            stored=Stored(digest, len(ijson.canonical(value))),
            usage=Usage(model_calls=1, input_tokens=10),
        )
        text = encode(made._replace(**record)).decode()
        return ended_with(pod, code=0, message=text)

    return end


def keep(play: Play, pod: PodFact, value: JsonValue) -> str:
    """The gateway stores the calls of a pod; the name of the NodeRecord."""
    ref = AttemptRef(builders.RUN, RUN_UID, pod.path, pod.round, pod.attempt)
    name = ref.record_name("Calls")
    payload = Payload(ijson.digest(value), len(ijson.canonical(value)), read=True, value=value)
    fact = RecordFact(name, "Calls", RUN_UID, pod.path, pod.round, pod.attempt, RUN_UID, payload)
    play.record_facts[name] = fact
    play.records[name] = value
    return name


def decide_on(play: Play, text: str, /, **answer: JsonValue) -> None:
    """A person answers the question about the call with this text."""
    name = approval_of(play, text)
    fact = play.approvals[name]
    assert fact.spec is not None
    wire = fact.spec.model_dump(by_alias=True, exclude_none=True)
    given = {"decidedBy": "ann", **answer}
    version = str(int(fact.resource_version) + 1)
    play.approvals[name] = replace(
        fact,
        spec=type(fact.spec).model_validate({**wire, **given}),
        answered_at=play.now,
        resource_version=version,
    )


def approval_of(play: Play, text: str) -> str:
    """The name of the latest Approval about the call with this text."""
    found = [
        name
        for name, fact in play.approvals.items()
        if fact.spec is not None
        and fact.spec.context is not None
        and fact.spec.context["arguments"] == {"text": text}
    ]
    assert found, f"nobody was asked about {text}: {sorted(play.approvals)}"
    return found[-1]
