"""What a pod needs to reach a provider or a tool server: a document, and keys as files.

The same for a node and for the probe, so that what the probe says is what a node would see.
"""

from dataclasses import dataclass, field
from typing import Final

from waypost.api.base import JsonObject, parse_duration
from waypost.api.provider import PUBLIC_URLS, ModelProviderSpec
from waypost.api.toolserver import HttpServer, ToolHeader, ToolServerSpec
from waypost.kube.secret_files import KeyFile, ca_file, value_file

DEFAULT_TOOL_TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Access:
    """A part of a request document, and the files that it names."""

    document: JsonObject = field(default_factory=dict)
    files: tuple[KeyFile, ...] = ()


def provider_access(spec: ModelProviderSpec) -> Access:
    """How to reach a provider: `type`, `baseUrl`, `keyFile?`, `caFile?` and `headers?`."""
    key = KeyFile("model/key", "secret", spec.api_key) if spec.api_key else None
    ca = ca_file("model/ca", spec.tls)
    headers, files = _headers("model/header", spec.headers or [])
    document: JsonObject = {
        "type": spec.type,
        "baseUrl": spec.base_url or PUBLIC_URLS[spec.type],
        "keyFile": key.mounted if key else None,
        "caFile": ca.mounted if ca else None,
        "headers": headers or None,
    }
    return _access(document, key, ca, *files)


def server_access(name: str, spec: ToolServerSpec) -> Access:
    """How to reach a tool server: `url`, `headers?` and `caFile?`, or `command`; `timeoutSeconds`.

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
    return Access(document, access.files)


def _http_access(name: str, http: HttpServer) -> Access:
    headers, files = _headers(f"tools/{name}", http.headers or [])
    ca = ca_file(f"tools/{name}/ca", http.tls)
    document: JsonObject = {
        "url": http.url,
        "headers": headers or None,
        "caFile": ca.mounted if ca else None,
    }
    return _access(document, *files, ca)


def _headers(folder: str, given: list[ToolHeader]) -> tuple[list[JsonObject], list[KeyFile]]:
    """`name` and `value` or `file` of each header, and the files, numbered by list position."""
    headers: list[JsonObject] = []
    files: list[KeyFile] = []
    for at, header in enumerate(given):
        if header.value_from is None:
            headers.append({"name": header.name, "value": header.value or ""})
            continue
        file = value_file(f"{folder}/{at}", header.value_from)
        headers.append({"name": header.name, "file": file.mounted})
        files.append(file)
    return headers, files


def _access(document: JsonObject, *files: KeyFile | None) -> Access:
    present = {key: value for key, value in document.items() if value is not None}
    return Access(present, tuple(file for file in files if file is not None))
