"""What a pod needs to reach a provider or a tool server: a document, and keys as files.

The same for a node and for the probe, so that what the probe says is what a node would see.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from waypost.api.base import JsonObject, parse_duration
from waypost.api.provider import PUBLIC_URLS, ModelProviderSpec
from waypost.api.toolserver import HttpServer, QueryParameter, ToolHeader, ToolServerSpec
from waypost.kube.secret_files import KeyFile, ca_file, value_file

DEFAULT_TOOL_TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Access:
    """A part of a request document, and the files that it names."""

    document: JsonObject = field(default_factory=dict)
    files: tuple[KeyFile, ...] = ()


def hosts_of(documents: Iterable[JsonObject]) -> frozenset[str]:
    """The hosts to which keys are sent by what these documents describe, in lower case; behind
    the model gateway, those of the providers and tool servers."""
    found: set[str] = set()
    for document in documents:
        behind = document.get("upstreamUrl")
        urls = [behind] if behind else [document.get("baseUrl"), document.get("url")]
        urls.append((document.get("oauth") or document).get("tokenUrl"))
        found |= {host_of(url) for url in urls if url}
    return frozenset(found)


def documents_of(agent: JsonObject) -> list[JsonObject]:
    """What describes the models and tools in the rendered work of an agent; empty for none."""
    if not agent:
        return []
    return [agent["model"], *agent.get("fallbacks", ()), *agent.get("tools", ())]


def host_of(url: str) -> str:
    """The host of a URL as the runner connects to it; the whole URL if it has none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def provider_access(spec: ModelProviderSpec, *, folder: str = "model") -> Access:
    """How to reach a provider: `type`, `baseUrl`, `keyFile?`, `caFile?`, `headers?` and `query?`.

    `folder` is the folder of its files, relative to ROOT.
    """
    key = KeyFile(f"{folder}/key", "secret", spec.api_key) if spec.api_key else None
    ca = ca_file(f"{folder}/ca", spec.tls)
    headers, files = _values(f"{folder}/header", spec.headers or [])
    query, more_files = _values(f"{folder}/query", spec.query or [])
    document: JsonObject = {
        "type": spec.type,
        "baseUrl": spec.base_url or PUBLIC_URLS[spec.type],
        "keyFile": key.mounted if key else None,
        "caFile": ca.mounted if ca else None,
        "headers": headers or None,
        "query": query or None,
    }
    return _access(document, key, ca, *files, *more_files)


def provider_by_gateway(spec: ModelProviderSpec, *, url: str, token_file: str) -> Access:
    """How to reach a provider through the model gateway: `type`, `baseUrl`, `tokenFile` and
    `upstreamUrl`, which says what the provider understands. The pod gets no key.

    Args:
        spec: The provider.
        url: The URL of the model at the gateway.
        token_file: The file with the token of the pod.
    """
    document: JsonObject = {
        "type": spec.type,
        "baseUrl": url,
        "tokenFile": token_file,
        "upstreamUrl": spec.base_url or PUBLIC_URLS[spec.type],
    }
    return Access(document)


def server_access(name: str, spec: ToolServerSpec) -> Access:
    """How to reach a tool server: `url`, `headers?`, `query?`, `oauth?` and `caFile?`, or
    `command`; `timeoutSeconds`, `maxResultBytes?` and `trustHints?`.

    `name` is the name of the ToolServer, which has a separate folder for its files.
    """
    seconds = parse_duration(spec.timeout) if spec.timeout else DEFAULT_TOOL_TIMEOUT
    if spec.http is not None:
        access = _http_access(name, spec.http)
    else:
        assert spec.stdio is not None, "refused by the CRD"
        access = Access({"command": list(spec.stdio.command)})
    document: JsonObject = {**access.document, "timeoutSeconds": seconds}
    if spec.max_result_bytes is not None:
        document["maxResultBytes"] = spec.max_result_bytes
    if spec.trust_hints:
        document["trustHints"] = True
    return Access(document, access.files)


def server_by_gateway(name: str, spec: ToolServerSpec, *, url: str, token_file: str) -> Access:
    """How to reach a tool server through the model gateway: `url`, `tokenFile`, `upstreamUrl`, and
    `tokenUrl` if it has OAuth. The files are what the gateway reads: the pod gets none of them.

    Args:
        name: The name of the ToolServer.
        spec: The tool server, over http.
        url: The URL of the server at the gateway.
        token_file: The file with the token of the pod.
    """
    direct = server_access(name, spec)
    kept = ("timeoutSeconds", "maxResultBytes", "trustHints")
    document: JsonObject = {key: direct.document[key] for key in kept if key in direct.document}
    document |= {"url": url, "tokenFile": token_file, "upstreamUrl": direct.document["url"]}
    if "oauth" in direct.document:
        document["tokenUrl"] = direct.document["oauth"]["tokenUrl"]
    return Access(document, direct.files)


def _http_access(name: str, http: HttpServer) -> Access:
    headers, files = _values(f"tools/{name}", http.headers or [])
    query, more_files = _values(f"tools/{name}/query", http.query or [])
    ca = ca_file(f"tools/{name}/ca", http.tls)
    oauth = http.auth.oauth if http.auth else None
    secret = (
        KeyFile(f"tools/{name}/client-secret", "secret", oauth.client_secret) if oauth else None
    )
    document: JsonObject = {
        "url": http.url,
        "headers": headers or None,
        "query": query or None,
        "oauth": {
            "tokenUrl": oauth.token_url,
            "clientId": oauth.client_id,
            "clientSecretFile": secret.mounted,
            "scopes": oauth.scopes or [],
        }
        if oauth and secret
        else None,
        "caFile": ca.mounted if ca else None,
    }
    return _access(document, *files, *more_files, secret, ca)


def _values(
    folder: str, given: Sequence[ToolHeader | QueryParameter]
) -> tuple[list[JsonObject], list[KeyFile]]:
    """`name` and `value` or `file` of each header or query parameter, and the files, numbered
    by list position."""
    values: list[JsonObject] = []
    files: list[KeyFile] = []
    for at, each in enumerate(given):
        if each.value_from is None:
            values.append({"name": each.name, "value": each.value or ""})
            continue
        file = value_file(f"{folder}/{at}", each.value_from)
        values.append({"name": each.name, "file": file.mounted})
        files.append(file)
    return values, files


def _access(document: JsonObject, *files: KeyFile | None) -> Access:
    present = {key: value for key, value in document.items() if value is not None}
    return Access(present, tuple(file for file in files if file is not None))
