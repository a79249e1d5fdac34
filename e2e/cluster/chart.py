"""What the chart is installed with on a cluster of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# In the embedded cluster's service network, outside what is given out first. It has no DNS.
_GATEWAY_ADDRESS: Final = "10.96.255.80"


def values(provider: str, images: Mapping[str, str]) -> dict[str, str]:
    """Values by name: the images, and the gateway's address where pods cannot look it up."""
    chosen = image("image", images["operator"])
    for name in ("runner", "agent"):
        chosen |= image(f"{name}.image", images[name])
    # An account that no test makes: what a missing one looks like.
    chosen["policies.namespaces[0].serviceAccounts[0]"] = "nobody-made-this"
    # One person starts the runs of the demo and answers them. `tests/admission` has the stamp.
    chosen["identity.stamp"] = "None"
    if provider == "embedded":
        chosen["gateway.clusterIP"] = _GATEWAY_ADDRESS
    return chosen


def image(prefix: str, reference: str) -> dict[str, str]:
    """repo:tag or repo@digest as the chart's values below `prefix`."""
    repository, at, digest = reference.partition("@")
    if at:
        return {f"{prefix}.repository": repository, f"{prefix}.digest": digest}
    name, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:  # no tag; a colon before a slash is that of a port
        return {f"{prefix}.repository": repository, f"{prefix}.tag": "latest"}
    return {f"{prefix}.repository": name, f"{prefix}.tag": tag}
