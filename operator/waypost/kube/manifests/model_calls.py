"""Whether the calls of a node go through the model gateway, and to which address."""

from typing import Final

from waypost.api.isolation.model import Isolation
from waypost.api.workflow import Node
from waypost.kube.egress.policy import is_limited
from waypost.kube.kinds.table import pod_kind
from waypost.kube.manifests.pod import PodSettings

# Below it: the position of the model in the node, and the path of the provider's API.
PATH: Final = "/v1/model"
TOOLS_PATH: Final = "/v1/tools"  # below it: the position of the entry in agent.tools


def models_url(node: Node, isolation: Isolation, settings: PodSettings) -> str | None:
    """The base URL of the model gateway for a node; None if its pod makes its calls itself.

    It is "" if the pod has no DNS and the address of the gateway is not known (S490).
    """
    kind = pod_kind(node)
    if settings.models_url is None or not (kind.calls_models or kind.calls_hosts):
        return None
    if kind.calls_hosts:
        return settings.egress.models_address if isolation.egress == "Gateway" else None
    if is_limited(isolation):
        return settings.egress.models_address
    return settings.models_url if settings.models_for_all else None
