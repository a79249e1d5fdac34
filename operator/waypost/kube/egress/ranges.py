"""Which addresses a node may never reach, and which only if the installation lists them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

# Metadata services of clouds, addresses of one machine, and ways around an IPv4 rule.
FORBIDDEN: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "fd00:ec2::254/128",
        "fe80::/10",
        "ff00::/8",
    )
)
PRIVATE: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "fc00::/7",
    )
)


def network_of(text: str) -> Network | None:
    """The network that a text such as `203.0.113.0/24` names; None if it names none.

    A zone, and bits behind the prefix, make it invalid.
    """
    try:
        return ip_network(text) if "%" not in text else None
    except ValueError:
        return None


def within(network: Network, others: Iterable[Network]) -> Network | None:
    """The first of `others` that contains `network`; None if none does."""
    return next((one for one in others if _contains(one, network)), None)


def inside(network: Network, others: Iterable[Network]) -> list[Network]:
    """The parts of `network` that `others` name, without those that another one contains."""
    parts = [one for one in others if _contains(network, one) and one != network]
    kept = {one for one in parts if not any(one != two and _contains(two, one) for two in parts)}
    return sorted(kept, key=lambda one: (one.version, int(one.network_address), one.prefixlen))


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)
