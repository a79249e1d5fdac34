"""The Role that lets the model gateway read what ModelProviders, ToolServers and http nodes of a
namespace name."""

from collections.abc import Iterable, Sequence
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.kube.manifests.endpoints import provider_access, server_access

NAME: Final = "waypost-models-keys"


def grant_manifests(
    namespace: str,
    providers: Iterable[ModelProviderSpec],
    *,
    servers: Iterable[ToolServerSpec] = (),
    account: str,
    account_namespace: str,
    secrets: Iterable[str] = (),
    config_maps: Iterable[str] = (),
) -> Sequence[JsonObject]:
    """The Role and its binding; none if nothing names a Secret or ConfigMap.

    Args:
        namespace: That of the providers.
        providers: All of them that the gateway may serve.
        servers: The tool servers, of which those over http count.
        account: The ServiceAccount of the model gateway.
        account_namespace: Its namespace.
        secrets: More Secrets, which http nodes name.
        config_maps: More ConfigMaps.
    """
    reached = [provider_access(spec) for spec in providers]
    reached += [server_access("any", spec) for spec in servers]  # a program has no files
    files = [file for access in reached for file in access.files]
    kinds = (("secrets", "secret", secrets), ("configmaps", "configMap", config_maps))
    named = {
        plural: sorted({*more, *(file.ref.name for file in files if file.source == source)})
        for plural, source, more in kinds
    }
    rules = [
        {"apiGroups": [""], "resources": [plural], "resourceNames": names, "verbs": ["get"]}
        for plural, names in named.items()
        if names
    ]
    if not rules:
        return ()
    group = "rbac.authorization.k8s.io"
    metadata = {"name": NAME, "namespace": namespace}
    return (
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
            "subjects": [
                {"kind": "ServiceAccount", "name": account, "namespace": account_namespace}
            ],
        },
    )
