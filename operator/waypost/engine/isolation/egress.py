"""What `isolation.egress` changes of a launch: the policy of the pod, and how the pod reaches the
gateway."""

from dataclasses import replace

from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation
from waypost.api.isolation.policy import Uses, violations
from waypost.api.workflow import Node
from waypost.compiler.node_settings import isolation_of
from waypost.compiler.rules.nodes.policy import private_networks
from waypost.engine.state.inputs import Forbidden, Invalid
from waypost.engine.state.transition import Transition
from waypost.kube.egress.policy import (
    EgressSettings,
    destination_problem,
    is_limited,
    label_job,
    policy_of,
    reaches_dns,
)
from waypost.kube.egress.probe import add_probe
from waypost.kube.manifests.model_calls import models_url
from waypost.kube.manifests.pod import PodSettings


def settings_of(transition: Transition, node: Node) -> PodSettings | Forbidden | Invalid:
    """The settings for the pod of a node (S381, S382).

    Returns:
        The settings, in which the gateway has an address instead of a name, or is missing if the
        pod cannot reach it, and likewise the model gateway (S490); Invalid if the installation
        does not allow a destination, Forbidden if the policy of the namespace does not.
    """
    isolation = isolation_of(transition.spec, node)
    settings = replace(transition.settings, egress=_egress(transition))
    settings = replace(settings, models_url=models_url(node, isolation, settings))
    if settings.models_url == "":
        return Invalid(_unresolved(transition.settings.models_url, "modelGateway.clusterIP"))
    if not is_limited(isolation):
        return settings
    if problem := _not_permitted(transition, isolation):
        return Forbidden(problem)
    for at, destination in enumerate((isolation.allow and isolation.allow.to) or ()):
        if problem := destination_problem(destination, settings.egress):
            return Invalid(f"isolation.allow.to[{at}].cidr: {problem}")
    if isolation.egress == "None" or settings.gateway_url is None:
        return replace(settings, gateway_url=None)
    if not settings.egress.gateway_address:
        return Invalid(_unresolved(settings.gateway_url, "gateway.clusterIP"))
    return replace(settings, gateway_url=settings.egress.gateway_address)


def _egress(transition: Transition) -> EgressSettings:
    """What the installation says about egress, with the private networks that the policy of the
    namespace lists in place of those of the chart (S640)."""
    policy, settings = transition.observed.policy, transition.settings.egress
    networks = policy.private_networks if policy is not None else None
    if networks is None:
        return settings
    return replace(settings, private_hosts=networks)


def _not_permitted(transition: Transition, isolation: Isolation) -> str:
    """What of its networks the policy of the namespace does not allow; "" if it allows them."""
    policy, uses = transition.observed.policy, Uses(networks=private_networks(isolation))
    return "" if policy is None else "; ".join(violations(policy, uses))


def _unresolved(url: str | None, value: str) -> str:
    return (
        "isolation.egress: pods without DNS need the address of the gateway, and the operator "
        f"could not resolve {url} when it started; restart the operator, or set the chart value "
        f"{value}"
    )


def limited(transition: Transition, node: Node, job: JsonObject) -> JsonObject | None:
    """The policy of a Job's pod, which it now selects; None if nothing limits its egress. The pod
    also gets the probe that waits until the policy holds (S387)."""
    isolation = isolation_of(transition.spec, node)
    if not is_limited(isolation):
        return None
    settings = replace(transition.settings, egress=_egress(transition))
    models = models_url(node, isolation, settings) is not None
    namespace = transition.owner.namespace
    policy = policy_of(isolation, namespace, settings.egress, models=models)
    label_job(job, policy)
    if isolation.verify != "Off":
        add_probe(
            job["spec"]["template"]["spec"],
            settings.egress,
            gateway=isolation.egress != "None" and settings.gateway_url is not None,
            models=models,
            dns=reaches_dns(isolation),
            report_only=isolation.verify == "Report",
            image=settings.runner_image,
            pull_policy=settings.image_pull_policy,
        )
    return policy
