"""The init container that lets the program of a pod start only once its network policy holds.

It is an init container for all kinds of nodes: user code starts after it, and cannot write its
verdict.
"""

from typing import Final
from urllib.parse import urlsplit

from waypost.api.base import JsonObject
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.security import container_security
from waypost.protocol.isolation import (
    MUST_FAIL,
    MUST_REACH,
    NO_DNS,
    PROBE,
    PROBE_COMMAND,
    REPORT,
)

# An open port of the gateway's Service, for metrics, which no policy of egress allows.
_CANARY_PORT: Final = 8081
# Of AWS, Azure, Google and others; of AWS by IPv6; of Alibaba.
_METADATA: Final = ("169.254.169.254:80", "[fd00:ec2::254]:80", "100.100.100.200:80")
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
}


def add_probe(
    pod: JsonObject,
    settings: EgressSettings,
    *,
    gateway: bool,
    models: bool = False,
    dns: bool = False,
    report_only: bool = False,
    image: str,
    pull_policy: str,
) -> None:
    """Add the probe to a pod, before all other init containers.

    Args:
        pod: The pod's spec.
        settings: What the installation says.
        gateway: Whether the pod must reach the gateway.
        models: Whether it must reach the model gateway.
        dns: Whether it may ask name servers.
        report_only: Whether the program starts whatever the probe finds.
        image: The image of the runner.
        pull_policy: Its pull policy.
    """
    fails, reaches = list(_METADATA), list[str]()
    used = ((settings.gateway_address, gateway), (settings.models_address, models))
    for url, wanted in used:
        address = urlsplit(url)
        if address.hostname and (wanted or url == settings.gateway_address):
            host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
            fails.append(f"{host}:{_CANARY_PORT}")
            reaches += [f"{host}:{address.port or 80}"] if wanted else []
    probe = {
        "name": PROBE,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": list(PROBE_COMMAND),
        "env": [
            {"name": MUST_FAIL, "value": ",".join(fails)},
            {"name": MUST_REACH, "value": ",".join(reaches)},
            *(() if dns else [{"name": NO_DNS, "value": "true"}]),
            *([{"name": REPORT, "value": "true"}] if report_only else ()),
        ],
        "resources": _RESOURCES,
        "terminationMessagePolicy": "File",
        "securityContext": container_security(),
    }
    pod["initContainers"] = [probe, *pod.get("initContainers", ())]
