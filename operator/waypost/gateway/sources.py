"""Whether a request comes from the pod whose token it shows (S639).

A token that left its pod, in a log or an output, is then worth nothing elsewhere in the cluster.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from waypost.kube import objects
from waypost.ports.cluster import Obj


def source_problem(pod: Obj, source: str) -> str:
    """Why a request does not come from a pod; "" if it does, or if that cannot be seen.

    It cannot be seen before the kubelet has reported the addresses of the pod, and for a connection
    from the pod of the gateway itself: `kubectl port-forward`, or the proxy of a mesh.

    Args:
        pod: The pod of the token, as just read.
        source: The address that opened the connection; "" if it is not known.
    """
    found, listed = _address(source), objects.section(pod, "status").get("podIPs")
    if found is None or found.is_loopback or not isinstance(listed, list):
        return ""
    expected = [one for each in listed if (one := _address(objects.text(each, "ip"))) is not None]
    if not expected or found in expected:
        return ""
    name = objects.text(objects.section(pod, "metadata"), "name")
    return (
        f"the request comes from {found}, and pod {name} has the addresses "
        f"{', '.join(map(str, expected))}; if a proxy or the network of the cluster replaces the "
        "addresses of pods, set the chart value checkSource of the gateway to false"
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
