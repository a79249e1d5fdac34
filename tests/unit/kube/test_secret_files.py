"""Keys as files of a pod: which volume, and what the kubelet's words on it mean."""

import pytest
from waypost.api.endpoint import KeyRef
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.kube.manifests.endpoints import provider_access, server_access
from waypost.kube.secret_files import KeyFile, explain, key_volume, missing_key

PROVIDER = ModelProviderSpec.model_validate(
    {
        "type": "OpenAI",
        "baseURL": "https://models.example/v1",
        "apiKey": {"name": "openai", "key": "api-key"},
        "tls": {"caConfigMap": {"name": "trust", "key": "ca.crt"}},
    }
)
SERVER = ToolServerSpec.model_validate(
    {
        "http": {
            "url": "http://runbooks:8000/mcp",
            "headers": [
                {"name": "X-Team", "value": "sre"},
                {
                    "name": "Authorization",
                    "valueFrom": {"secretKeyRef": {"name": "rb", "key": "t"}},
                },
            ],
            "tls": {"caSecret": {"name": "rb", "key": "ca"}},
        },
        "timeout": "5s",
    }
)


def test_a_provider_is_an_address_and_two_files() -> None:
    access = provider_access(PROVIDER)
    assert access.document == {
        "type": "OpenAI",
        "baseUrl": "https://models.example/v1",
        "keyFile": "/waypost/secrets/model/key",
        "caFile": "/waypost/secrets/model/ca",
    }
    assert [(f.source, f.ref.name, f.ref.key) for f in access.files] == [
        ("secret", "openai", "api-key"),
        ("configMap", "trust", "ca.crt"),
    ]


def test_a_public_provider_has_the_public_address() -> None:
    spec = ModelProviderSpec.model_validate({"type": "Google", "apiKey": {"name": "g", "key": "k"}})
    assert provider_access(spec).document == {
        "type": "Google",
        "baseUrl": "https://generativelanguage.googleapis.com",
        "keyFile": "/waypost/secrets/model/key",
    }


def test_a_tool_server_has_its_own_files() -> None:
    access = server_access("runbooks", SERVER)
    assert access.document == {
        "url": "http://runbooks:8000/mcp",
        "headers": [
            {"name": "X-Team", "value": "sre"},
            {"name": "Authorization", "file": "/waypost/secrets/tools/runbooks/1"},
        ],
        "caFile": "/waypost/secrets/tools/runbooks/ca",
        "timeoutSeconds": 5.0,
    }


def test_a_program_has_no_files() -> None:
    spec = ToolServerSpec.model_validate({"stdio": {"command": ["mcp-server-time", "--x=$(A)"]}})
    access = server_access("time", spec)
    assert access.document == {"command": ["mcp-server-time", "--x=$(A)"], "timeoutSeconds": 60.0}
    assert access.files == ()


def test_files_of_one_object_are_one_source() -> None:
    found = key_volume((*provider_access(PROVIDER).files, *server_access("rb", SERVER).files))
    assert found is not None
    volume, mount = found
    assert mount == {"name": "secrets", "mountPath": "/waypost/secrets", "readOnly": True}
    assert volume["projected"]["sources"] == [
        {"secret": {"name": "openai", "items": [item("api-key", "model/key")]}},
        {"configMap": {"name": "trust", "items": [item("ca.crt", "model/ca")]}},
        {"secret": {"name": "rb", "items": [item("t", "tools/rb/1"), item("ca", "tools/rb/ca")]}},
    ]


def test_no_files_are_no_volume() -> None:
    assert key_volume(()) is None


def item(key: str, path: str) -> dict[str, object]:
    return {"key": key, "path": path, "mode": 0o440}


FILES = (
    KeyFile("model", "secret", KeyRef(name="openai", key="api-key")),
    KeyFile("ca/model", "configMap", KeyRef(name="trust", key="ca.crt")),
)
SETUP = 'MountVolume.SetUp failed for volume "secrets" : '

MISSING = [
    pytest.param(
        f'{SETUP}secret "openai" not found',
        "Secret openai does not exist; create it: kubectl create secret generic openai "
        "--from-file=api-key=FILE",
        id="secret",
    ),
    pytest.param(
        f'{SETUP}[secret "openai" not found, configmap "trust" not found]',
        "Secret openai does not exist; create it: kubectl create secret generic openai "
        "--from-file=api-key=FILE",
        id="the-first-of-two",
    ),
    pytest.param(
        f'{SETUP}configmap "trust" not found',
        "ConfigMap trust does not exist; create it: kubectl create configmap trust "
        "--from-file=ca.crt=FILE",
        id="configmap",
    ),
    pytest.param(
        f"{SETUP}references non-existent secret key: api-key",
        "Secret openai has no key api-key; add it, or name the right key",
        id="key-of-a-secret",
    ),
    pytest.param(
        f"{SETUP}references non-existent config key: ca.crt",
        "ConfigMap trust has no key ca.crt; add it, or name the right key",
        id="key-of-a-configmap",
    ),
]


@pytest.mark.parametrize(("trouble", "reported"), MISSING)
def test_what_is_missing_is_named(trouble: str, reported: str) -> None:
    assert missing_key(trouble)
    assert explain(trouble, FILES) == reported


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(
            f"{SETUP}failed to sync secret cache: timed out waiting for the condition",
            id="cache-not-yet-filled",
        ),
        pytest.param("Unable to attach or mount volumes: unmounted volumes=[x]", id="other"),
    ],
)
def test_what_passes_by_itself_is_nothing_missing(trouble: str) -> None:
    assert not missing_key(trouble)
    assert explain(trouble, FILES) == trouble
