"""What the policy of the platform does not allow in the pod of a probe (S555).

The author of a ModelProvider or ToolServer names the Secret, and the address that it is sent to.
"""

from dataclasses import replace

from waypost.api.isolation.policy import NamespacePolicy, violations
from waypost.kube.manifests.endpoints import hosts_of
from waypost.kube.pod_uses import uses_of
from waypost.probes.job import ProbeSettings, access_of, image_of, probe_job
from waypost.probes.subject import Subject


def not_permitted(subject: Subject, settings: ProbeSettings, policy: NamespacePolicy | None) -> str:
    """What a policy does not allow in a probe of a subject; "" if it allows all of it.

    Args:
        subject: The subject.
        settings: Of the operator.
        policy: Of the namespace of the subject; None for no limits.
    """
    if policy is None or subject.spec is None or not image_of(subject, settings):
        return ""
    pod = probe_job(subject, 1, settings)["spec"]["template"]["spec"]
    own = (settings.runner_image, settings.agent_image)
    uses = replace(uses_of(pod, own_images=own), hosts=hosts_of([access_of(subject).document]))
    return "; ".join(violations(policy, uses))
