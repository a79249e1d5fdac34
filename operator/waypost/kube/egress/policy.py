"""The NetworkPolicy of a node's egress. Its name is a digest of its content, so that the same
isolation of many nodes and runs of a namespace is one object, which never changes.

It never selects the address of a Service: network plug-ins judge the packet after its translation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.egress import Destination, Egress
from waypost.api.isolation.model import Isolation
from waypost.kube.egress.ranges import FORBIDDEN, PRIVATE, Network, inside, network_of, within
from waypost.protocol import ijson

PREFIX: Final = "waypost-egress-"
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_DNS_PORT: Final = 53
_LIMITED: Final[tuple[Egress, ...]] = ("None", "Gateway", "AllowList")
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True)
class EgressSettings:
    """What the installation says about egress.

    Attributes:
        gateway_namespace: Where the pods of the gateway are; "" without a gateway.
        gateway_labels: Labels of these pods.
        gateway_address: Base URL of the gateway with an IP address instead of a name; "" if it is
            not known.
        models_namespace: Where the pods of the model gateway are; "" without one.
        models_labels: Labels of these pods.
        models_address: As gateway_address, of the model gateway.
        private_hosts: Private networks that an AllowList may name.
        cluster_ranges: Networks of pods, Services and machines.
        dns_addresses: Addresses of name servers on the machines.
    """

    gateway_namespace: str = ""
    gateway_labels: tuple[tuple[str, str], ...] = ()
    gateway_address: str = ""
    models_namespace: str = ""
    models_labels: tuple[tuple[str, str], ...] = ()
    models_address: str = ""
    private_hosts: tuple[Network, ...] = ()
    cluster_ranges: tuple[Network, ...] = ()
    dns_addresses: tuple[Network, ...] = ()


def is_limited(isolation: Isolation) -> bool:
    """Whether the pod has a NetworkPolicy."""
    return isolation.egress not in (None, "Inherit")


def reaches_dns(isolation: Isolation) -> bool:
    """Whether the pod may ask name servers, or something that may be one."""
    allow = isolation.allow if isolation.egress == "AllowList" else None
    if allow is None:
        return False
    return bool(allow.dns) or any(one.port == _DNS_PORT for one in allow.to or ())


def destination_problem(destination: Destination, settings: EgressSettings) -> str:
    """Why the installation does not allow a destination; "" if it does."""
    network = network_of(destination.cidr) if destination.cidr is not None else None
    if network is None:
        return ""
    if found := within(network, settings.cluster_ranges):
        return f"{network} is in {found}, a network of the cluster; name the pods by their labels"
    found = within(network, PRIVATE)
    if found and not within(network, settings.private_hosts):
        return (
            f"{network} is private ({found}), and the chart value networkPolicy.privateHosts does "
            "not list it; ask the administrator of Waypost"
        )
    return ""


def policy_of(
    isolation: Isolation, namespace: str, settings: EgressSettings, *, models: bool = False
) -> JsonObject:
    """The NetworkPolicy of a node with limited egress.

    Args:
        isolation: The isolation of the node, with that of spec.defaults.
        namespace: The namespace of the run.
        settings: What the installation says.
        models: Whether the node calls models through the model gateway.
    """
    rules = list(_rules(isolation, settings, models)) if isolation.egress != "None" else []
    label = f"{str(isolation.egress).lower()}-{ijson.digest(rules)[-_DIGEST_LENGTH:]}"
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": PREFIX + label,
            "namespace": namespace,
            "labels": {meta.LABEL_EGRESS: label},
        },
        "spec": {
            "podSelector": {"matchLabels": {meta.LABEL_EGRESS: label}},
            "policyTypes": ["Ingress", "Egress"],
            **({"egress": rules} if rules else {}),
        },
    }


def label_job(job: JsonObject, policy: JsonObject) -> None:
    """Let the policy select the pod of a Job. The Job has the label too: it shows that the policy
    is in use before there is a pod."""
    label = policy["metadata"]["labels"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        metadata["labels"] = {**metadata["labels"], **label}


def egress_of(job: JsonObject) -> Egress:
    """The egress of the pod of a rendered Job, from the label that its policy selects."""
    label = job["spec"]["template"]["metadata"]["labels"].get(meta.LABEL_EGRESS, "")
    return next((mode for mode in _LIMITED if label.startswith(f"{mode.lower()}-")), "Inherit")


def private_networks(policy: JsonObject | None) -> frozenset[Network]:
    """The private networks that a policy names, besides those of name servers."""
    rules = policy["spec"].get("egress", ()) if policy is not None else ()
    chosen = [rule for rule in rules if all(port["protocol"] == "TCP" for port in rule["ports"])]
    blocks = [peer["ipBlock"]["cidr"] for r in chosen for peer in r["to"] if "ipBlock" in peer]
    networks = (network_of(text) for text in blocks)
    return frozenset(one for one in networks if one is not None and within(one, PRIVATE))


def _rules(isolation: Isolation, settings: EgressSettings, models: bool) -> Iterator[JsonObject]:
    if settings.gateway_namespace:
        pods = _pods(settings.gateway_namespace, settings.gateway_labels)
        yield {"to": [pods], "ports": _ports(urlsplit(settings.gateway_address).port or 80)}
    if models and settings.models_namespace:
        pods = _pods(settings.models_namespace, settings.models_labels)
        yield {"to": [pods], "ports": _ports(urlsplit(settings.models_address).port or 80)}
    if isolation.egress != "AllowList" or isolation.allow is None:
        return
    for destination in isolation.allow.to or ():
        yield {"to": [_peer(destination, settings)], "ports": _ports(destination.port)}
    if isolation.allow.dns:
        servers = [
            {
                **_in_namespace("kube-system"),
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ]
        servers += [{"ipBlock": {"cidr": str(one)}} for one in settings.dns_addresses]
        yield {"to": servers, "ports": [*_ports(_DNS_PORT, "UDP"), *_ports(_DNS_PORT)]}


def _pods(namespace: str, labels: tuple[tuple[str, str], ...]) -> JsonObject:
    return {**_in_namespace(namespace), "podSelector": {"matchLabels": dict(labels)}}


def _peer(destination: Destination, settings: EgressSettings) -> JsonObject:
    if destination.pods is not None:
        selected = {"podSelector": {"matchLabels": destination.pods}}
        if destination.namespace is None:
            return selected
        return {**_in_namespace(destination.namespace), **selected}
    network = network_of(destination.cidr or "")
    assert network is not None  # the compiler has refused others
    excluded = [*FORBIDDEN, *settings.cluster_ranges]
    if not within(network, settings.private_hosts):
        excluded += PRIVATE
    excluded += [one for text in destination.except_ or () if (one := network_of(text))]
    parts = [str(part) for part in inside(network, excluded)]
    return {"ipBlock": {"cidr": str(network), **({"except": parts} if parts else {})}}


def _in_namespace(name: str) -> JsonObject:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: name}}}


def _ports(number: int, protocol: str = "TCP") -> list[JsonObject]:
    return [{"protocol": protocol, "port": number}]
