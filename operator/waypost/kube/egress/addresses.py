"""Which addresses our services may call when somebody else says where (SSRF)."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from waypost.kube.egress.ranges import FORBIDDEN, PRIVATE, Network, within


@dataclass(frozen=True)
class AddressRules:
    """Which addresses may be called: public ones, and private ones of listed networks.

    Attributes:
        private_hosts: Private networks that the installation lists.
        forbidden: Networks that are never allowed, listed or not.
        setting: The chart value that lists private networks, for messages.
    """

    private_hosts: tuple[Network, ...] = ()
    forbidden: tuple[Network, ...] = FORBIDDEN
    setting: str = "modelGateway.privateHosts"

    def problem(self, text: str) -> str:
        """Why an address may not be called; "" if it may."""
        address = _parsed(text)
        if address is None:
            return f"{text!r:.80} is not an address"
        network = ip_network(address)
        if found := within(network, self.forbidden):
            return f"{address} is in {found}: a metadata service, the gateway itself, or no host"
        if within(network, self.private_hosts):
            return ""
        if not address.is_global or within(network, PRIVATE) or address.is_multicast:
            return (
                f"{address} is not public, and the chart value {self.setting} does not list it; "
                "ask the administrator of Waypost"
            )
        return ""

    def literal_problem(self, host: str) -> str:
        """The same for a host that is an address; "" for a name, which is looked up later."""
        return self.problem(host) if _parsed(host) is not None or _is_number(host) else ""


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip("[]")) if "%" not in text else None
    except ValueError:
        return None


def _is_number(host: str) -> bool:
    """Whether a host may be read as an address that is written in another way: 2130706433, 0x7f.1
    and 127.1 are 127.0.0.1 to some programs."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return "%" in host or ":" in host or last.isdecimal() or last.startswith("0x")
