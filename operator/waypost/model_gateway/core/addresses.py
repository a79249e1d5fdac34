"""Which addresses the gateway may call, and which hosts a Secret may be sent to (SSRF)."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from waypost.api.provider import PUBLIC_URLS, ProviderType
from waypost.kube.egress.ranges import FORBIDDEN, PRIVATE, Network, within

HOSTS_ANNOTATION: Final = "waypost.dev/hosts"


@dataclass(frozen=True)
class AddressRules:
    """Which addresses may be called: public ones, and private ones of listed networks.

    Attributes:
        private_hosts: Private networks that the installation lists.
        forbidden: Networks that are never allowed, listed or not.
    """

    private_hosts: tuple[Network, ...] = ()
    forbidden: tuple[Network, ...] = FORBIDDEN

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
                f"{address} is not public, and the chart value modelGateway.privateHosts does not "
                "list it; ask the administrator of Waypost"
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


def hosts_of_secret(annotation: str, type_: ProviderType) -> frozenset[str]:
    """The hosts to which the keys of a Secret may be sent: those of its annotation, else the
    public one of the type. A host with a port other than that of https has it."""
    listed = frozenset(part.strip().lower() for part in annotation.split(",") if part.strip())
    return listed or frozenset({urlsplit(PUBLIC_URLS[type_]).netloc})


def host_problem(host: str, allowed: Iterable[str], *, secret: str) -> str:
    """Why a Secret may not be sent to a host; "" if it may."""
    if host in allowed:
        return ""
    found = ", ".join(sorted(allowed))
    return (
        f"Secret {secret} may be sent to {found} only, and the ModelProvider names {host}; list "
        f"{host} in the annotation {HOSTS_ANNOTATION} of the Secret"
    )
