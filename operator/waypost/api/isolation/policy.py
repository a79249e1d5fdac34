"""What the platform lets runs of a namespace use: an entry of `policies.namespaces` of the chart.

Editors of a namespace cannot write it. It is compared with what a spec names when the run is
accepted, and with what the rendered pod has before its Job is created.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from waypost.api.base import Model

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


def policy_of(policies: Iterable[NamespacePolicy], labels: Mapping[str, str]) -> NamespacePolicy:
    """The first policy that matches the labels of a namespace (S373)."""
    return next((one for one in policies if one.matches(labels)), DEFAULT_POLICY)


def violations(policy: NamespacePolicy, uses: Uses) -> Iterator[str]:
    """What a policy does not allow: what was found, what is allowed, what to do."""
    accounts = (NODE_ACCOUNT, *policy.service_accounts)
    if uses.service_account is not None and uses.service_account not in accounts:
        yield _text("ServiceAccount", uses.service_account, accounts, "serviceAccounts")
    for name in sorted(uses.secrets):
        if policy.secrets is not None and not _listed(name, policy.secrets):
            yield _text("Secret", name, policy.secrets, "secrets")
    for name in sorted(uses.images):
        if policy.images is not None and not _listed(name, policy.images):
            yield _text("image", name, policy.images, "images")
    for name in sorted(uses.hosts):
        if policy.hosts is not None and not _listed(name, policy.hosts):
            yield _text("host", name, policy.hosts, "hosts")
    for name in sorted(uses.volumes):
        if policy.volumes is not None and name not in policy.volumes:
            yield _text("volume source", name, policy.volumes, "volumes")
    required = policy.runtime_class
    if required is not None and uses.runtime_class not in (None, required):
        yield _text("RuntimeClass", str(uses.runtime_class), (required,), "runtimeClass")


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
