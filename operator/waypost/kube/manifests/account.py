"""The ServiceAccount of the pods of nodes."""

from waypost.api.base import JsonObject


def account_manifest(name: str, namespace: str) -> JsonObject:
    """An account without bindings, annotations and API token."""
    labels = {"app.kubernetes.io/part-of": "waypost", "app.kubernetes.io/managed-by": "waypost"}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "automountServiceAccountToken": False,
    }
