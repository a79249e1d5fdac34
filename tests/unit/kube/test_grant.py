"""S493: the Role that `waypost provider grant` prints names what ModelProviders name."""

from waypost.api.base import JsonObject
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.kube.manifests.grant import grant_manifests


def granted(*specs: JsonObject) -> list[JsonObject]:
    providers = [ModelProviderSpec.model_validate({"type": "OpenAI", **spec}) for spec in specs]
    return list(
        grant_manifests("team-a", providers, account="models", account_namespace="waypost-system")
    )


def test_each_name_once_and_only_get() -> None:
    key = {"apiKey": {"name": "keys", "key": "a"}}
    header = {
        "headers": [
            {"name": "X-Team", "value": "blue"},
            {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "more", "key": "b"}}},
        ]
    }
    ca = {"tls": {"caConfigMap": {"name": "ca", "key": "ca.crt"}}}
    role, binding = granted(key, {**key, **header}, ca)
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["keys", "more"],
            "verbs": ["get"],
        },
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["ca"],
            "verbs": ["get"],
        },
    ]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "team-a"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    subject = {"kind": "ServiceAccount", "name": "models", "namespace": "waypost-system"}
    assert binding["subjects"] == [subject]


def test_the_secrets_of_http_nodes() -> None:
    """S722"""
    role, _ = grant_manifests(
        "team-a",
        [],
        account="models",
        account_namespace="waypost-system",
        secrets=["crm", "crm"],
        config_maps=["ca"],
    )
    assert [rule["resourceNames"] for rule in role["rules"]] == [["crm"], ["ca"]]


def test_the_secrets_of_tool_servers() -> None:
    """S612: headers, query, CA and the client of OAuth; a program has none."""

    def ref(name: str) -> JsonObject:
        return {"name": name, "key": "k"}

    oauth = {"tokenUrl": "https://l.example/t", "clientId": "me", "clientSecret": ref("client")}
    http = {
        "url": "https://tools.example/mcp",
        "headers": [{"name": "X-Key", "valueFrom": {"secretKeyRef": ref("header")}}],
        "query": [{"name": "key", "valueFrom": {"secretKeyRef": ref("query")}}],
        "tls": {"caConfigMap": ref("ca")},
        "auth": {"oauth": oauth},
    }
    servers = [{"http": http}, {"stdio": {"command": ["clock"]}}]
    role, _ = grant_manifests(
        "team-a",
        [],
        servers=[ToolServerSpec.model_validate(each) for each in servers],
        account="models",
        account_namespace="waypost-system",
    )
    named = [rule["resourceNames"] for rule in role["rules"]]
    assert named == [["client", "header", "query"], ["ca"]]


def test_nothing_to_grant() -> None:
    assert granted({"baseURL": "http://a.example/v1"}) == []
