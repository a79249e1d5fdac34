"""The work of an agent node: its texts are evaluated, its provider and tool servers resolved.

The result is the `agent` part of the request document (docs/adr/0008-agent-nodes.md), and the keys
that the pod mounts as files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject, Model
from waypost.api.kinds.agent import (
    AgentDefaults,
    AgentKind,
    AgentLimits,
    ModelRef,
    models_of,
)
from waypost.api.paths import parse_path
from waypost.api.provider import ModelProviderSpec
from waypost.api.state.usage import Allotment
from waypost.api.status import AttemptStatus, LoopStatus
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import Node
from waypost.compiler.kinds.kind import merged
from waypost.compiler.memory.rules import notes_of
from waypost.compiler.node_settings import isolation_of
from waypost.engine.nodes.calls import advance as calls
from waypost.engine.nodes.calls import closing
from waypost.engine.nodes.calls.question import policies
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.nodes.limits import DEFAULT_REQUESTS, left_of
from waypost.engine.nodes.texts import render_env
from waypost.engine.state import parked
from waypost.engine.state.inputs import Invalid, Missing
from waypost.engine.state.resolved import Resolved
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, RenderError, render_text
from waypost.expressions.values import Unavailable
from waypost.kube.manifests.endpoints import (
    Access,
    provider_access,
    provider_by_gateway,
    server_access,
    server_by_gateway,
)
from waypost.kube.manifests.model_calls import PATH, TOOLS_PATH, models_url
from waypost.kube.manifests.pod import Rendered
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.kube.memory.notes import block, notes
from waypost.kube.secret_files import KeyFile

DEFAULT_REASKS: Final = 2
_UNLIMITED: Final = (
    "ModelProvider {} has rateLimits, which only the model gateway enforces, and this node calls "
    "the provider itself; set isolation.egress: Gateway, or the chart value "
    "modelGateway.agents: All"
)
_NO_MODEL_GATEWAY: Final = (
    "isolation.egress: Gateway needs the model gateway, and this installation has none; set the "
    "chart value modelGateway.enabled, or use AllowList with the addresses of the provider and of "
    "the tool servers"
)
_IN_FINALLY: Final = (
    "calls of tool {} need an approval, which its ToolServer requires, and a clean-up waits for "
    "nobody; remove the tool, or move the node to nodes"
)
_NO_GATEWAY: Final = (
    "tools[].requireApproval needs the gateway, which stores the conversation while people decide, "
    "and this installation has none; set gateway.enabled in the chart's values"
)


@dataclass(frozen=True)
class Surroundings:
    """The providers and tool servers of a run's namespace, by name; None for an object that the
    models refuse."""

    namespace: str
    providers: Mapping[str, ModelProviderSpec | None]
    servers: Mapping[str, ToolServerSpec | None]


def agent_work(
    agent: AgentKind,
    *,
    defaults: AgentDefaults | None,
    allotment: Allotment | None,
    accounted: JsonObject,
    around: Surroundings,
    view: JsonObject,
    gateway: str | None = None,
    tools_by_gateway: bool = False,
    loop: LoopStatus | None = None,
) -> Resolved | Missing | Invalid:
    """The node's agent block merged over the run's defaults, ready for its pod.

    Args:
        agent: The node's agent block.
        defaults: `spec.defaults.agent`.
        allotment: The attempt's share of the run's budget.
        accounted: Changes with every attempt that reports its usage. By it the pod finds out
            what earlier attempts could not report.
        around: The providers and tool servers of the namespace.
        view: The evaluation context, with `self`.
        gateway: URL of the model gateway; None if the pod calls providers itself.
        tools_by_gateway: Whether the pod also reaches tool servers over http by the gateway.
        loop: The loop of a node with repeat: its earlier iterations count against the limits.

    Returns:
        The `agent` part of the request document and its key files; Missing if a provider or tool
        server does not exist; Invalid if a text cannot be evaluated.
    """
    base = defaults or AgentDefaults()
    models = models_of(agent, base)
    assert models, "an agent without a model is not accepted"
    resolved = _models(models, (base.settings, agent.settings), around, gateway)
    tools = _tools(agent, around, gateway if tools_by_gateway else None)
    instructions = agent.instructions or base.instructions
    texts = _texts({"instructions": instructions, "prompt": agent.prompt}, view)
    if isinstance(resolved, Missing | Invalid):
        return resolved
    if isinstance(tools, Missing):
        return tools
    if isinstance(texts, Invalid):
        return texts
    own, usual = agent.reasks, base.reasks
    document: JsonObject = {
        **resolved.document,
        **texts.document,
        **tools.document,
        "limits": {"requests": DEFAULT_REQUESTS}
        | _wire(left_of(merged(AgentLimits, base.limits, agent.limits), loop)),
        **({"allotment": _wire(allotment)} if allotment else {}),
        **({"accounted": accounted} if accounted else {}),
        "reasks": next((n for n in (own, usual) if n is not None), DEFAULT_REASKS),
    }
    return Resolved(document, (*resolved.files, *tools.files), tools.added)


def _models(
    refs: list[ModelRef],
    settings: tuple[Model | None, ...],
    around: Surroundings,
    gateway: str | None,
) -> Resolved | Missing | Invalid:
    """`model`, and where there are more of them `fallbacks`, each with the name of its provider."""
    documents: list[JsonObject] = []
    files: list[KeyFile] = []
    for at, ref in enumerate(refs):
        provider = around.providers.get(ref.provider)
        if provider is None:
            return _absent("ModelProvider", ref.provider, around, known=around.providers)
        if gateway is None and provider.rate_limits is not None:
            return Invalid(_UNLIMITED.format(ref.provider))
        if gateway is not None:
            token = MODELS_TOKEN.mounted
            access = provider_by_gateway(provider, url=f"{gateway}{PATH}/{at}", token_file=token)
        else:
            access = provider_access(provider, folder=f"model/{at}" if at else "model")
        model = _model(ref, provider, access, settings)
        named = {"provider": ref.provider} if len(refs) > 1 else {}
        documents.append({**model.document, **named})
        files += model.files
    first, *others = documents
    return Resolved({"model": first, **({"fallbacks": others} if others else {})}, tuple(files))


def _model(
    ref: ModelRef,
    provider: ModelProviderSpec,
    access: Access,
    settings: tuple[Model | None, ...],
) -> Resolved:
    entry = next((m for m in provider.models or [] if m.name == ref.name), None)
    layers = (provider.settings, entry and entry.settings, *settings)
    document: JsonObject = {
        **access.document,
        "name": ref.name,
        "settings": {k: v for layer in layers if layer for k, v in _wire(layer).items()},
    }
    if entry and entry.inputs:
        document["inputs"] = list(entry.inputs)
    if entry and entry.structured_output:
        document["structuredOutput"] = entry.structured_output
    if entry and entry.price:
        document["price"] = _wire(entry.price)
    return Resolved(document, access.files)


def _tools(agent: AgentKind, around: Surroundings, gateway: str | None) -> Resolved | Missing:
    known = policies(agent, around.servers)
    documents: list[JsonObject] = []
    files: list[KeyFile] = []
    added: list[KeyFile] = []
    for at, tools in enumerate(agent.tools or []):
        gated = [name for name in tools.names if name in known]
        limit: JsonObject = {"requireApproval": gated} if gated else {}
        if tools.max_result_bytes:
            limit["maxResultBytes"] = tools.max_result_bytes
        if tools.module is not None:
            effects = {"effects": tools.effects} if tools.effects else {}
            documents.append(
                {"module": tools.module, "functions": tools.functions or [], **effects, **limit}
            )
            continue
        name = tools.server or ""
        server = around.servers.get(name)
        if server is None:
            return _absent("ToolServer", name, around, known=around.servers)
        if gateway is not None and server.http is not None:
            url, token = f"{gateway}{TOOLS_PATH}/{at}", MODELS_TOKEN.mounted
            access = server_by_gateway(name, server, url=url, token_file=token)
            added += access.files
        else:
            access = server_access(name, server)
            files += access.files
        chosen = {"allow": tools.allow or [], "effects": tools.effects or {}}
        documents.append({"server": name, **access.document, **chosen, **limit})
    return Resolved({"tools": documents}, tuple(files), tuple(added))


def _texts(texts: dict[str, str | None], view: JsonObject) -> Resolved | Invalid:
    filled: JsonObject = {}
    for name, text in texts.items():
        if text is None:
            continue
        value = render_text(text, view, null=NullPolicy.TEXT)
        if isinstance(value, RenderError):
            return Invalid(f"agent.{name}: {value.message}")
        filled[name] = value
    return Resolved(filled)


def _absent(kind: str, name: str, around: Surroundings, *, known: Mapping[str, object]) -> Missing:
    place = f"namespace {around.namespace}"
    if name in known:
        return Missing(f"{kind} {name} in {place} cannot be read; see its condition Ready")
    listed = ", ".join(sorted(known)[:8])
    there = f"there are: {listed}" if listed else "there are none"
    return Missing(f"{kind} {name} does not exist in {place} ({there}); create it")


def _wire(model: Model) -> JsonObject:
    return model.model_dump(by_alias=True, exclude_none=True)


def _render(
    transition: Transition, path: str, view: JsonObject, attempt: AttemptStatus
) -> Rendered | Invalid | Missing:
    node = transition.node(path)
    assert node.agent is not None, "called for agent nodes only"
    env = render_env(node.agent.env, view)
    if isinstance(env, Invalid):
        return env
    if not (node.agent.image or transition.settings.agent_image):
        return Missing("this installation has no image for agent nodes; set agent.image in it")
    gated = policies(node.agent, transition.observed.servers)
    if gated and transition.settings.gateway_url is None:
        return Missing(_NO_GATEWAY)
    if gated and path in transition.graph.finally_nodes:
        return Invalid(_IN_FINALLY.format(next(iter(gated))))
    decisions = parked.decisions_of(transition, path)
    if isinstance(decisions, str):
        return Invalid(decisions)
    observed = transition.observed
    isolation = isolation_of(transition.spec, node)
    gateway = models_url(node, isolation, transition.settings)
    behind = isolation.egress == "Gateway"
    if behind and gateway is None:
        return Invalid(_NO_MODEL_GATEWAY)
    work = agent_work(
        node.agent,
        defaults=transition.spec.defaults.agent if transition.spec.defaults else None,
        allotment=attempt.allotment,
        accounted=_accounted(transition, path),
        loop=transition.statuses[path].loop,
        around=Surroundings(observed.namespace, observed.providers, observed.servers),
        view=view,
        gateway=gateway,
        tools_by_gateway=behind,
    )
    if isinstance(work, Missing | Invalid):
        return work
    document = work.document | ({"decisions": decisions} if decisions else {})
    if transition.settings.trace_content != "Off":
        document["content"] = transition.settings.trace_content
    given = _with_notes(transition, node, document)
    if isinstance(given, Invalid):
        return given
    document = given
    return Rendered(env=env, agent=document, files=work.files, added=work.added)


def _with_notes(transition: Transition, node: Node, document: JsonObject) -> JsonObject | Invalid:
    """The work of an agent with the notes that it is given of the memory of its run: after its
    instructions, and for the tool `recall`."""
    given, memory = notes_of(transition.spec, node), transition.observed.status.memory
    if given is None or memory is None:
        return document
    snapshot = transition.payloads.get(memory.record)
    if isinstance(snapshot, Unavailable):
        return Invalid(f"agent.memory: {snapshot.why}")
    shown = block(notes(snapshot, given.inject))
    texts = [text for text in (document.get("instructions"), shown) if text]
    if shown:
        document = {**document, "instructions": "\n\n".join(texts)}
    return {**document, "notes": notes(snapshot, "Both")} if given.recall else document


def _accounted(transition: Transition, path: str) -> JsonObject:
    """What the status has of the usage of earlier attempts: of an item only how many reported it,
    because the map has the sum."""
    opened = transition.map_of(path)
    if opened is not None:
        reported = opened.reported.get(parse_path(path).index or 0, 0)
        return {"reported": reported} if reported else {}
    used = transition.statuses[path].usage
    return _wire(used) if used is not None else {}


KIND: Final = EngineKind(
    "agent",
    advance=calls.advance,
    needs_live_read=calls.needs_live_read,
    clean_up=closing.close_left_open,
    render=_render,
    gets_modules=True,
)
