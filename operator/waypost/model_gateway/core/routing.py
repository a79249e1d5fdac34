"""Which model a call is for, and whether the path is one that the gateway forwards.

The pod says only the position of the model in its node. All else comes from the definition of the
run and from the ModelProvider.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import ModelRef, models_of
from waypost.api.provider import PUBLIC_URLS, ModelProviderSpec
from waypost.model_gateway.core.nodes import node_at, spec_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

_VERBS: Final = ("generateContent", "streamGenerateContent")


def model_at(definition: JsonObject, *, path: str, position: int) -> ModelRef:
    """The model of a node.

    Args:
        definition: The spec of the run, with what it took from its template.
        path: The path of the node.
        position: Which of its models, from 0.

    Raises:
        CallRefused: The node is no agent, or has no such model.
    """
    spec = spec_of(definition)
    name, node = node_at(spec, path)
    if node is None or node.agent is None:
        raise CallRefused(CallRefusal.CALLER, f"node {name} is no agent; only agents call models")
    models = models_of(node.agent, spec.defaults.agent if spec.defaults else None)
    if not 0 <= position < len(models):
        text = f"node {name} has {len(models)} models; found position {position}"
        raise CallRefused(CallRefusal.MODEL, text)
    return models[position]


@dataclass(frozen=True)
class Target:
    """Where a call goes. `model_in_body`: the body names the model, too."""

    url: str
    host: str
    model_in_body: bool
    query: tuple[tuple[str, str], ...] = ()


def target_of(spec: ModelProviderSpec, model: str, *, path: str, query: str) -> Target:
    """Where a call goes; nothing of the caller's path is used for it.

    Args:
        spec: The provider.
        model: The name of the model.
        path: The path below the position, decoded, without a slash at its start.
        query: The query of the caller, without `?`.

    Raises:
        CallRefused: The gateway does not forward this path, query, or model.
    """
    base = (spec.base_url or PUBLIC_URLS[spec.type]).rstrip("/")
    host = host_of(base)
    if spec.type == "OpenAI":
        _expect(path, query, allowed="chat/completions")
        return Target(f"{base}/chat/completions", host, model_in_body=True)
    if spec.type == "Anthropic":
        _expect(path, query, allowed="v1/messages", queries=("", "beta=true"))
        asked = (("beta", "true"),) if query else ()
        return Target(f"{base}/v1/messages", host, model_in_body=True, query=asked)
    name, _, verb = path.removeprefix("v1beta/models/").rpartition(":")
    known = path.startswith("v1beta/models/") and verb in _VERBS
    expected = f"v1beta/models/MODEL:{_VERBS[0]}"
    _expect(path, query, allowed=path if known else expected, queries=("", "alt=sse"))
    require_model(name, model)
    asked = (("alt", "sse"),) if query else ()
    plain = model.removeprefix("models/")
    url = f"{base}/v1beta/models/{quote(plain, safe='')}:{verb}"
    return Target(url, host, model_in_body=False, query=asked)


def host_of(url: str) -> str:
    """The host of a URL, with the port unless it is that of the scheme."""
    parts = urlsplit(url)
    usual = f":{443 if parts.scheme == 'https' else 80}"
    return parts.netloc.lower().removesuffix(usual)


def require_model(found: object, model: str) -> None:
    """Raise CallRefused unless a call names the model of the node."""
    if found != model:
        text = f"the node may call model {model} here; found {found!r:.100}"
        raise CallRefused(CallRefusal.MODEL, text)


def _expect(path: str, query: str, *, allowed: str, queries: tuple[str, ...] = ("",)) -> None:
    if path != allowed or query not in queries:
        asked = f"?{query}" if query else ""
        text = f"only POST {allowed} is forwarded; found {path + asked!r:.100}"
        raise CallRefused(CallRefusal.PATH, text)
