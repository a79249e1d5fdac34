"""ModelProviders and ToolServers: what the API server takes, and what it refuses."""

from typing import Any

import pytest

from tests.crds.manifests import Manifest

KEY = {"name": "openai", "key": "api-key"}
FROM_SECRET = {"secretKeyRef": {"name": "runbooks", "key": "authorization"}}
FROM_CONFIG = {"configMapKeyRef": {"name": "team", "key": "id"}}
URL = "http://runbooks.tools:8000/mcp"


def provider(name: str = "default", **spec: Any) -> Manifest:
    """A ModelProvider; the public OpenAI unless `spec` says otherwise."""
    return _object("ModelProvider", name, {"type": "OpenAI", "apiKey": KEY, **spec})


def server(name: str = "runbooks", **spec: Any) -> Manifest:
    """A ToolServer over HTTP; `spec` replaces it."""
    return _object("ToolServer", name, spec or {"http": {"url": URL}})


def over_http(**http: Any) -> Manifest:
    """A ToolServer over HTTP; `http` belongs to its http block."""
    return server(http={"url": URL, **http})


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


SETTINGS = {
    "temperature": 0.5,
    "topP": 1,
    "maxTokens": 4096,
    "seed": -7,
    "stopSequences": ["END"],
    "parallelToolCalls": False,
    "reasoningEffort": "Medium",
}
FULL_PROVIDER = provider(
    baseURL="https://models.internal:8443/openai/v1",
    tls={"caConfigMap": {"name": "trust", "key": "ca.crt"}},
    settings=SETTINGS,
    headers=[
        {"name": "X-Team", "value": "ops"},
        {"name": "X-Id", "valueFrom": FROM_SECRET},
    ],
    query=[{"name": "api-version", "value": "1"}, {"name": "id", "valueFrom": FROM_SECRET}],
    models=[
        {
            "name": "meta-llama/Llama-3.3-70B-Instruct",
            "price": {"input": "0.25", "cachedInput": "0.025", "output": "2"},
            "structuredOutput": "JsonObject",
            "settings": {"temperature": 0},
            "inputs": ["Image", "Audio", "PDF"],
        },
        {"name": "gpt-5-mini"},
    ],
)
FULL_SERVER = server(
    http={
        "url": URL,
        "headers": [
            {"name": "X-Team", "value": ""},
            {"name": "X-Key", "valueFrom": FROM_SECRET},
            {"name": "X-Id", "valueFrom": FROM_CONFIG},
        ],
        "auth": {
            "oauth": {
                "tokenUrl": "https://login.example.com/token",
                "clientId": "waypost",
                "clientSecret": {"name": "runbooks", "key": "client-secret"},
                "scopes": ["runbooks.read"],
            }
        },
        "query": [{"name": "team", "value": ""}, {"name": "id", "valueFrom": FROM_CONFIG}],
        "tls": {"caSecret": {"name": "runbooks", "key": "ca.crt"}},
    },
    timeout="1m30s",
    maxResultBytes=131072,
)
PRICES = {"input": "0.25", "output": "2.00"}


def taken(id: str, manifest: Manifest, reason: str) -> Any:
    """One row: `manifest` is stored as it is."""
    return pytest.param(manifest, reason, id=id)


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


ACCEPTED = [
    taken("provider", provider(), "a type and a key"),
    taken("provider-full", FULL_PROVIDER, "no field is pruned"),
    taken(
        "provider-without-key",
        provider(apiKey=None, baseURL="http://ollama:11434/v1"),
        "a private server needs none",
    ),
    taken("provider-by-address", provider(baseURL="http://[::1]:8080"), "an address without path"),
    taken("server", server(), "an address"),
    taken("server-full", FULL_SERVER, "no field is pruned"),
    taken(
        "server-stdio",
        server(stdio={"command": ["mcp-server-time", "--local-timezone=UTC"], "image": "x:1"}),
        "a program",
    ),
]

REFUSED = [
    row("provider-type-unknown", provider(type="Azure"), "spec.type: Unsupported value", "OpenAI"),
    row(
        "provider-public-without-key",
        provider(apiKey=None),
        "spec.apiKey: Required value: the public API of OpenAI requires a key; set apiKey, "
        "or set baseURL to your own server",
    ),
    row(
        "provider-key-in-the-address",
        provider(baseURL="https://me:secret@models.example/v1"),
        " is not a valid URL; start with http:// or https://, and use no user name, query or ",
        "fragment, as in https://host:8443/v1 (put keys into a Secret)",
    ),
    row("provider-not-http", provider(baseURL="ftp://models.example"), "ftp://models.example is"),
    row("provider-with-query", provider(baseURL="https://x/v1?key=1"), "is not a valid URL"),
    row("provider-key-in-plain-text", provider(apiKey="sk-123"), "spec.apiKey", "object"),
    row(
        "provider-key-without-name",
        provider(apiKey={"key": "k"}),
        "spec.apiKey.name: Required value",
    ),
    row(
        "provider-key-optional",
        provider(apiKey={**KEY, "optional": True}),
        'unknown field "spec.apiKey.optional"',
    ),
    row("provider-tls-empty", provider(tls={}), "neither caConfigMap nor caSecret is set; set one"),
    row(
        "provider-tls-both",
        provider(tls={"caConfigMap": KEY, "caSecret": KEY}),
        "spec.tls: Forbidden: both caConfigMap and caSecret are set; keep one of them",
    ),
    row("provider-temperature", provider(settings={"temperature": 3}), "less than or equal to 2"),
    row(
        "provider-model-twice",
        provider(models=[{"name": "m"}, {"name": "m"}]),
        'spec.models[1]: Duplicate value: {"name":"m"}',
    ),
    row(
        "provider-price-as-number",
        provider(models=[{"name": "m", "price": {**PRICES, "input": 0.25}}]),
        "spec.models[0].price.input",
        "string",
    ),
    row(
        "provider-price-negative",
        provider(models=[{"name": "m", "price": {**PRICES, "input": "-1"}}]),
        "spec.models[0].price.input",
    ),
    row(
        "server-nowhere",
        server(timeout="5s"),
        "spec: Required value: neither http nor stdio is set; set one of them",
    ),
    row(
        "server-twice",
        server(http={"url": URL}, stdio={"command": ["x"]}),
        "both http and stdio are set; keep one and create another ToolServer for the other",
    ),
    row("server-url", over_http(url="runbooks:8000"), "runbooks:8000 is not a valid URL"),
    row(
        "server-timeout-zero",
        server(http={"url": URL}, timeout="0s"),
        "spec.timeout: Forbidden: timeout must be greater than zero",
    ),
    row(
        "server-header-without-value",
        over_http(headers=[{"name": "X"}]),
        "header X has neither value nor valueFrom; set one of them",
    ),
    row(
        "provider-json-mode-of-another-type",
        provider(type="Google", models=[{"name": "m", "structuredOutput": "JsonSchema"}]),
        "structuredOutput JsonSchema and JsonObject need type OpenAI; remove structuredOutput: "
        "models of type Google",
    ),
    row(
        "server-oauth-and-header",
        over_http(
            headers=[{"name": "authorization", "value": "x"}],
            auth={"oauth": {"tokenUrl": URL, "clientId": "a", "clientSecret": KEY}},
        ),
        "both auth and a header Authorization are set; keep one of them",
    ),
    row(
        "server-query-without-value",
        over_http(query=[{"name": "x"}]),
        "query parameter x has neither value nor valueFrom; set one of them",
    ),
    row(
        "provider-query-with-two-values",
        provider(query=[{"name": "x", "value": "1", "valueFrom": FROM_SECRET}]),
        "query parameter x has both value and valueFrom; keep one of them",
    ),
    row(
        "server-header-with-two-values",
        over_http(headers=[{"name": "X", "value": "1", "valueFrom": FROM_SECRET}]),
        "header X has both value and valueFrom; keep one of them",
    ),
    row(
        "server-header-from-nowhere",
        over_http(headers=[{"name": "X", "valueFrom": {}}]),
        "neither secretKeyRef nor configMapKeyRef is set; set one of them",
    ),
    row(
        "server-header-from-two-places",
        over_http(headers=[{"name": "X", "valueFrom": FROM_SECRET | FROM_CONFIG}]),
        "both secretKeyRef and configMapKeyRef are set; keep one of them",
    ),
    row(
        "server-header-name", over_http(headers=[{"name": "X Y", "value": "1"}]), "headers[0].name"
    ),
    row("server-no-program", server(stdio={"command": []}), "spec.stdio.command"),
]
