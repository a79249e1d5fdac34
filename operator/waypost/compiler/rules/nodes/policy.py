"""What the nodes of a spec use, against the policy of the platform for the namespace (S373)."""

from collections.abc import Iterator
from typing import Any

from waypost.api.isolation.core import secrets_of
from waypost.api.isolation.model import Isolation
from waypost.api.isolation.policy import NamespacePolicy, Uses, violations
from waypost.api.kinds.table import kind_of, work_of
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.node_settings import isolation_of
from waypost.compiler.problems import Problem
from waypost.kube.egress.ranges import PRIVATE, Network, network_of, within


def policy_problems(spec: AgentWorkflowSpec, policy: NamespacePolicy) -> Iterator[Problem]:
    """Report what a policy does not allow. The pod is compared again before its Job is created:
    Secrets of providers and tool servers are known only then."""
    for node in spec.all_nodes:
        if kind_of(node).has_pod:
            for text in violations(policy, _uses(spec, node)):
                yield Problem(node.place, text)


def _uses(spec: AgentWorkflowSpec, node: Node) -> Uses:
    isolation, work = isolation_of(spec, node), work_of(node)
    sources = [item for volume in isolation.volumes or () for item in volume.sources.items()]
    secrets = {name for source, value in sources for name in secrets_of(source, value)}
    for variable in getattr(work, "env", None) or ():
        reference = variable.value_from and variable.value_from.secret_key_ref
        if reference:
            secrets.add(reference.name)
    image: Any = getattr(work, "image", None)
    images = {value["reference"] for source, value in sources if source == "image"}
    return Uses(
        service_account=isolation.service_account_name,
        secrets=frozenset(secrets),
        images=frozenset(images | ({image} if image else set())),
        volumes=frozenset(source for source, _ in sources) | _claims(isolation),
        runtime_class=isolation.runtime_class_name,
        egress=isolation.egress or "Inherit",
        networks=private_networks(isolation),
    )


def private_networks(isolation: Isolation) -> frozenset[Network]:
    """The private networks to which it lets a pod connect."""
    allow = isolation.allow if isolation.egress == "AllowList" else None
    cidrs = [one.cidr for one in (allow and allow.to) or () if one.cidr is not None]
    networks = (network_of(cidr) for cidr in cidrs)
    return frozenset(one for one in networks if one is not None and within(one, PRIVATE))


def _claims(isolation: Isolation) -> frozenset[str]:
    """A claim of the run is a volume with a PersistentVolumeClaim."""
    named = any(volume.volume_claim for volume in isolation.volumes or ())
    return frozenset({"persistentVolumeClaim"} if named else ())
