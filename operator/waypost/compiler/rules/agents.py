"""What is checked of agent nodes before anything runs."""

from collections.abc import Iterator

from waypost.api.kinds.agent import AgentKind
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem, did_you_mean


def agent_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Agents without a model, and effects of tools that they do not have."""
    usual = spec.defaults.agent if spec.defaults else None
    for node in spec.nodes:
        if node.agent is None:
            continue
        place = f"nodes.{node.name}.agent"
        if not node.agent.model and not (usual and usual.model):
            text = "name one: model: {provider: ..., name: ...}, or set defaults.agent.model"
            yield Problem(f"{place}.model", text)
        yield from _effects(node.agent, place)


def _effects(agent: AgentKind, place: str) -> Iterator[Problem]:
    for index, tools in enumerate(agent.tools or []):
        listed = "functions" if tools.module else "allow"
        known = (tools.functions if tools.module else tools.allow) or []
        for name in tools.effects or {}:
            if name not in known:
                text = f"{name!r} is not in {listed}, so this has no effect; add it there or remove"
                hint = did_you_mean(name, known)
                yield Problem(f"{place}.tools[{index}].effects", f"{text} it here{hint}")
