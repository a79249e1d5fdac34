"""What the platform lets runs of a namespace use: an entry of `policies.namespaces` of the chart.

Editors of a namespace cannot write it. It is compared with what a spec names when the run is
accepted, and with what the rendered pod has before its Job is created.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from waypost.api.base import Model
from waypost.api.isolation.egress import Egress

NODE_ACCOUNT: Final = "waypost-node"  # the account of pods of nodes: no bindings, no API token

Source = Literal["persistentVolumeClaim", "configMap", "secret", "image", "csi", "ephemeral"]
_Names = Annotated[tuple[str, ...], Field(max_length=256)]


class NamespacePolicy(Model):
    """What runs of the namespaces with these labels may use. A pattern has `*` for any text."""

    match_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of the namespaces. Empty: all namespaces."
    )
    service_accounts: _Names = Field(
        default=(), description=f"Accounts beside {NODE_ACCOUNT} that isolation may name."
    )
    secrets: _Names | None = Field(
        default=None, description="Patterns of Secrets that pods may read. Absent: all."
    )
    images: _Names | None = Field(
        default=None, description="Patterns of images beside those of Waypost. Absent: all."
    )
    hosts: _Names | None = Field(
        default=None,
        description="Patterns of hosts that ModelProviders and ToolServers may name. Absent: all.",
    )
    volumes: tuple[Source, ...] | None = Field(
        default=None, description="Sources of volumes of isolation. Absent: all."
    )
    runtime_class: str | None = Field(
        default=None, description="RuntimeClass of all pods of nodes. Absent: the node chooses."
    )
    egress: tuple[Egress, ...] | None = Field(
        default=None,
        description="Values of isolation.egress. A node without one has Inherit. Absent: all.",
    )
    private_hosts: _Names | None = Field(
        default=None,
        description="Private networks that isolation.allow.to may name. Absent: those of "
        "networkPolicy.privateHosts.",
    )
    max_runs: int | None = Field(
        default=None,
        ge=1,
        description="Runs of a namespace that may run at a time; later ones wait. Absent: any.",
    )

    @field_validator("private_hosts")
    @classmethod
    def _networks(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for text in value or ():
            ip_network(text)  # its error names the text
        return value

    @property
    def private_networks(self) -> tuple[IPv4Network | IPv6Network, ...] | None:
        """The networks of private_hosts; None if it is absent."""
        return None if self.private_hosts is None else tuple(map(ip_network, self.private_hosts))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about a namespace with these labels."""
        return all(labels.get(key) == value for key, value in self.match_labels.items())


DEFAULT_POLICY: Final = NamespacePolicy()  # of a namespace that no entry matches


@dataclass(frozen=True)
class Uses:
    """What a node, or its pod, uses of what a policy is about."""

    service_account: str | None = None
    secrets: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()  # to which keys of providers and servers are sent
    volumes: frozenset[str] = frozenset()
    runtime_class: str | None = None
    egress: Egress | None = None  # None: it has no pod
    networks: frozenset[IPv4Network | IPv6Network] = frozenset()  # private ones, by address


def policy_of(policies: Iterable[NamespacePolicy], labels: Mapping[str, str]) -> NamespacePolicy:
    """The first policy that matches the labels of a namespace (S373)."""
    return next((one for one in policies if one.matches(labels)), DEFAULT_POLICY)


def violations(policy: NamespacePolicy, uses: Uses) -> Iterator[str]:
    """What a policy does not allow: what was found, what is allowed, what to do."""
    accounts = (NODE_ACCOUNT, *policy.service_accounts)
    if uses.service_account is not None and uses.service_account not in accounts:
        yield _text("ServiceAccount", uses.service_account, accounts, "serviceAccounts")
    for what, names, patterns, field in (
        ("Secret", uses.secrets, policy.secrets, "secrets"),
        ("image", uses.images, policy.images, "images"),
        ("host", uses.hosts, policy.hosts, "hosts"),
    ):
        for name in sorted(names):
            if patterns is not None and not _listed(name, patterns):
                yield _text(what, name, patterns, field)
    for name in sorted(uses.volumes):
        if policy.volumes is not None and name not in policy.volumes:
            yield _text("volume source", name, policy.volumes, "volumes")
    required = policy.runtime_class
    if required is not None and uses.runtime_class not in (None, required):
        yield _text("RuntimeClass", str(uses.runtime_class), (required,), "runtimeClass")
    yield from _network_violations(policy, uses)


def _network_violations(policy: NamespacePolicy, uses: Uses) -> Iterator[str]:
    if policy.egress is not None and uses.egress not in (None, *policy.egress):
        yield _text("isolation.egress", str(uses.egress), policy.egress, "egress")
    networks = policy.private_networks
    for network in sorted(uses.networks, key=str):
        if networks is not None and not any(_is_within(network, one) for one in networks):
            yield _text("the network", str(network), policy.private_hosts or (), "privateHosts")


def _is_within(network: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    same = network.version == outer.version
    return same and network.subnet_of(outer)  # type: ignore[arg-type]  # of one version


def _listed(name: str, patterns: Iterable[str]) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, one.split("*"))), name, re.DOTALL) for one in patterns
    )


def _text(what: str, found: str, allowed: Iterable[str], field: str) -> str:
    listed = ", ".join(allowed) or "none"
    return (
        f"the platform does not allow {what} {found} in this namespace; allowed: {listed}. Use one "
        f"of them, or ask for an entry in policies.namespaces[].{field} of the chart"
    )
