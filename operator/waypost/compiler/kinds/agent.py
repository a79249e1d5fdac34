"""Kind `agent`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import ALL_TOOLS, AgentKind, AgentLimits, models_of
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields, env_fields, merged, wire
from waypost.compiler.problems import Problem, did_you_mean
from waypost.compiler.rules.nodes.artifacts import from_problems

_MODEL_FIELDS: Final = {"model", "models"}  # one of a node replaces both of the defaults


def _work(node: Node) -> AgentKind:
    assert node.agent is not None, "called for agent nodes only"
    return node.agent


def _evaluated(node: Node) -> Fields:
    if _work(node).instructions is not None:
        yield "agent.instructions", _work(node).instructions
    yield "agent.prompt", _work(node).prompt
    for at, shown in enumerate(_work(node).attachments or ()):
        yield f"agent.attachments[{at}].from", shown.from_
    yield from env_fields("agent", _work(node).env)


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    """Report an agent without a model, and effects of tools that it does not have."""
    place, usual = f"{node.place}.agent", spec.defaults.agent if spec.defaults else None
    if not models_of(_work(node), usual):
        text = "name one: model: {provider: ..., name: ...}, or set defaults.agent.model"
        yield Problem(f"{place}.model", text)
    for at, shown in enumerate(_work(node).attachments or ()):
        yield from from_problems(f"{place}.attachments[{at}].from", shown.from_)
    yield from _equal_names(_work(node), place)
    yield from _effects(_work(node), place)
    yield from _approvals(node, place)


def _equal_names(agent: AgentKind, place: str) -> Iterator[Problem]:
    """Report tools of two sources with one name: a model could not say which one it calls."""
    sources: dict[str, str] = {}
    for index, tools in enumerate(agent.tools or []):
        source = f"module {tools.module}" if tools.module else f"tool server {tools.server}"
        for name in tools.names:
            if name in sources:
                text = f"{sources[name]} and {source} both have a tool {name!r}, and a model"
                text = f"{text} calls tools by name; leave it out of one of them"
                yield Problem(f"{place}.tools[{index}]", text)
            sources.setdefault(name, source)


def _effects(agent: AgentKind, place: str) -> Iterator[Problem]:
    for index, tools in enumerate(agent.tools or []):
        listed = "functions" if tools.module else "allow"
        known = (tools.functions if tools.module else tools.allow) or []
        for name in tools.effects or {}:
            if name not in known:
                text = f"{name!r} is not in {listed}, so this has no effect; add it there or remove"
                hint = did_you_mean(name, known)
                yield Problem(f"{place}.tools[{index}].effects", f"{text} it here{hint}")


def _approvals(node: Node, place: str) -> Iterator[Problem]:
    """Report gated tools that the agent does not have, and those for which nobody can be asked."""
    agent = _work(node)
    gated = False
    for index, tools in enumerate(agent.tools or []):
        listed, field = "functions" if tools.module else "allow", f"{place}.tools[{index}]"
        gated = gated or bool(tools.require_approval)
        if tools.require_approval == [ALL_TOOLS]:
            continue
        for name in tools.require_approval or []:
            if name not in tools.names:
                text = f"{name!r} is not in {listed}; add it there or remove it here"
                hint = did_you_mean(name, tools.names)
                yield Problem(f"{field}.requireApproval", f"{text}{hint}")
    if gated and agent.tool_approval is None:
        text = "requireApproval needs people: name them, approvers: {users: [...]}"
        yield Problem(f"{place}.toolApproval", text)
    if agent.tool_approval is not None and not gated:
        text = "without tools[].requireApproval this has no effect; add it there or remove it here"
        yield Problem(f"{place}.toolApproval", text)


def _code(node: Node) -> str:
    modules = (tools.module for tools in _work(node).tools or [])
    return " ".join(module for module in modules if module)


def _fingerprinted(work: JsonObject) -> JsonObject:
    # An effect does not change the work: a run that stopped because an effect was unknown
    # continues from its journal once a person declares the effect. Nor does who is asked.
    work = {key: value for key, value in work.items() if key != "toolApproval"}
    if not work.get("tools"):
        return work
    tools = [
        {key: value for key, value in entry.items() if key != "effects"} for entry in work["tools"]
    ]
    return {**work, "tools": tools}


def _defaults(spec: AgentWorkflowSpec, node: Node) -> JsonObject | None:
    """The defaults that apply to this agent: settings are merged, other fields replaced."""
    defaults = spec.defaults.agent if spec.defaults else None
    if defaults is None:
        return None
    own, usual = wire(_work(node)), wire(defaults)
    replaced = set(own) | (_MODEL_FIELDS if _MODEL_FIELDS & set(own) else set())
    return {key: value for key, value in usual.items() if key == "settings" or key not in replaced}


def _limits(spec: AgentWorkflowSpec, node: Node) -> AgentLimits:
    base = spec.defaults.agent if spec.defaults else None
    return merged(AgentLimits, base.limits if base else None, _work(node).limits)


KIND: Final = CompilerKind(
    "agent",
    evaluated_fields=_evaluated,
    program_texts=("agent.settings.stopSequences",),
    problems=_problems,
    code=_code,
    fingerprinted_work=_fingerprinted,
    fingerprinted_defaults=_defaults,
    limits=_limits,
)
