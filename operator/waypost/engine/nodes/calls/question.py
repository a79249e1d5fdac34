"""The questions about the tool calls of a parked agent: one Approval for each call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api import meta
from waypost.api.approval import ApprovalSpec
from waypost.api.base import JsonObject, JsonValue
from waypost.api.kinds.agent import AgentKind, ToolApproval
from waypost.api.toolserver import ServerApproval, ToolServerSpec
from waypost.engine.nodes.gates.policy import annotations
from waypost.engine.nodes.gates.requesters import names_the_starter, requesters
from waypost.engine.state.paths import iteration_path, node_of
from waypost.engine.state.transition import Transition
from waypost.kube import names
from waypost.kube.facts.approvals import ApprovalFact
from waypost.protocol import ijson, schema
from waypost.protocol.agents.gated_calls import GatedCall

TOOL_CALL: Final = "toolCall"
_ANY_ARGUMENTS: Final[JsonObject] = {"type": "object"}


@dataclass(frozen=True)
class Question:
    """The question about one call. `name`: of its Approval, `digest`: its requestDigest."""

    call: GatedCall
    name: str
    digest: str
    path: str
    message: str
    context: JsonObject
    policy: ToolApproval | ServerApproval

    def is_asked_by(self, fact: ApprovalFact) -> bool:
        """Whether an Approval asks this."""
        found = fact.spec
        return found is not None and (
            (found.subject, found.path, found.message, found.context, found.request_digest)
            == (TOOL_CALL, self.path, self.message, self.context, self.digest)
            and found.approvers == self.policy.approvers
        )


Policy = ToolApproval | ServerApproval


def policies(
    agent: AgentKind, servers: Mapping[str, ToolServerSpec | None]
) -> dict[str, tuple[str | None, Policy | None]]:
    """The gated tools of an agent: their ToolServer, and who is asked (None: nobody is named). What
    a ToolServer requires has precedence over what the run says."""
    found: dict[str, tuple[str | None, Policy | None]] = {}
    for tools in agent.tools or []:
        server = servers.get(tools.server or "")
        required = server.require_approval if server is not None else None
        for name in tools.names:
            if required is not None and required.covers(name):
                found[name] = (tools.server, required)
            elif name in tools.gated:
                found[name] = (tools.server, agent.tool_approval)
    return found


def questions(
    transition: Transition, path: str, calls: tuple[GatedCall, ...]
) -> list[Question] | str:
    """The questions about the calls of a parked agent; why there are none, if the pod asks what it
    must not."""
    agent = transition.node(path).agent
    gated = policies(agent, transition.observed.servers) if agent is not None else {}
    asked: list[Question] = []
    for call in calls:
        server, policy = gated.get(call.tool, (None, None))
        if policy is None:
            return f"its pod asks for an approval of tool {call.tool!r:.80}, which needs none"
        if call.server != server:
            return f"its pod asks for an approval of tool {call.tool!r:.80} of another ToolServer"
        asked.append(_question(transition, path, call, policy))
    return asked


def _question(transition: Transition, path: str, call: GatedCall, policy: Policy) -> Question:
    status = transition.statuses[path]
    round_ = status.round or 1
    covered: list[JsonValue] = [
        transition.observed.uid,
        iteration_path(status),
        transition.statuses[node_of(path)].fingerprint,
        status.repeats or 0,
        call.digest,
        policy.approvers.model_dump(by_alias=True, exclude_none=True),
    ]
    digest = ijson.digest(covered)
    name = names.call_approval_name(
        run=transition.observed.name,
        run_uid=transition.observed.uid,
        path=path,
        round_=round_,
        digest=digest,
    )
    whose = f" of ToolServer {call.server}" if call.server else ""
    server: JsonObject = {"server": call.server} if call.server else {}
    return Question(
        call=call,
        name=name,
        digest=digest,
        path=path,
        message=f"May agent {path} call tool {call.tool}{whose} with these arguments?",
        context={"tool": call.tool, **server, "arguments": call.arguments},
        policy=policy,
    )


def manifest(transition: Transition, asked: Question, expires: str | None) -> JsonObject:
    """The Approval of a call. `expires`: as RFC 3339 text; None if it does not."""
    observed, status = transition.observed, transition.statuses[asked.path]
    spec: JsonObject = {
        "run": observed.name,
        "path": asked.path,
        "subject": TOOL_CALL,
        "message": asked.message,
        "context": asked.context,
        "answerSchema": _answer_schema(asked.call),
        "approvers": asked.policy.approvers.model_dump(by_alias=True, exclude_none=True),
        "requestDigest": asked.digest,
    }
    if expires:
        spec["expiresAt"] = expires
    if started_by := requesters(observed):
        spec["requesters"] = started_by
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "Approval",
        "metadata": {
            "name": asked.name,
            "namespace": observed.namespace,
            "labels": {
                meta.LABEL_RUN: observed.uid,
                meta.LABEL_NODE: asked.path.replace("/", "."),
                meta.LABEL_ROUND: str(status.round or 1),
                meta.LABEL_ATTEMPT: str(status.parked or 1),
            },
            "annotations": {
                meta.ANNOTATION_RUN_NAME: observed.name,
                meta.ANNOTATION_PATH: asked.path,
                **annotations(observed),
            },
            "ownerReferences": [transition.owner.reference()],
        },
        "spec": spec,
    }


def fits(transition: Transition, asked: Question, fact: ApprovalFact) -> bool:
    """Whether an existing Approval is that of a question: its name is predictable."""
    return (
        fact.owner_uid == transition.observed.uid
        and fact.spec is not None
        and asked.is_asked_by(fact)
        and names_the_starter(transition.observed, fact.spec)
    )


def facts_of(transition: Transition, path: str) -> Iterator[ApprovalFact]:
    """The Approvals of this run about tool calls of a node, as they are known."""
    for fact in transition.observed.approvals.values():
        ours = fact.owner_uid == transition.observed.uid and not fact.deleting
        if ours and is_about_call(fact.spec) and fact.spec is not None and fact.spec.path == path:
            yield fact


def is_about_call(spec: ApprovalSpec | None) -> bool:
    """Whether a question is about a tool call."""
    return spec is not None and spec.subject == TOOL_CALL


def _answer_schema(call: GatedCall) -> JsonObject:
    """What edited arguments must match. A tool server may send any schema: one that cannot be
    used, or that would take too long, is left to the tool itself."""
    given = call.schema
    if not isinstance(given, dict) or schema.check_schema(given) is not None:
        return _ANY_ARGUMENTS
    return given
