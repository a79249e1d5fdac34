"""The Role that lets the model gateway read what the ModelProviders of a namespace name."""

from collections.abc import Iterable, Sequence
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.provider import ModelProviderSpec
from waypost.kube.manifests.endpoints import provider_access

NAME: Final = "waypost-models-keys"


def grant_manifests(
    namespace: str, providers: Iterable[ModelProviderSpec], *, account: str, account_namespace: str
) -> Sequence[JsonObject]:
    """The Role and its binding; none if no provider names a Secret or ConfigMap.

    Args:
        namespace: That of the providers.
        providers: All of them that the gateway may serve.
        account: The ServiceAccount of the model gateway.
        account_namespace: Its namespace.
    """
    files = [file for spec in providers for file in provider_access(spec).files]
    kinds = (("secrets", "secret"), ("configmaps", "configMap"))
    named = {
        plural: sorted({file.ref.name for file in files if file.source == source})
        for plural, source in kinds
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
