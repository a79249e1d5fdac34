"""Whether a problem that the cluster reports for a pod can pass without a change of the run.

The texts are those of the API server, its admission plugins and the kubelet (1.31 to 1.35). An
unknown text counts as a problem that can pass.
"""

import re
from decimal import Decimal
from typing import Final

_LASTING: Final = (
    "InvalidImageName",
    "ErrImageNeverPull",
    " is invalid: ",  # validation of the object
    "violates PodSecurity",
    "denied the request",  # an admission webhook
    "denied request: ",  # a ValidatingAdmissionPolicy
    "unable to validate against any security context constraint",  # OpenShift
    "no providers available to validate pod request",
    "must not be provided in pod spec",  # a priority beside its class
    "conflicts with its namespace node label selector",
    "conflict with its namespace whitelist",
    "image will run as root",  # the kubelet, of pods that must not
    "cannot verify user is non-root",
    "breaks non-root policy",
    "no command specified",
    "invalid reference format",  # of an image
    "denied one or more images",  # ImagePolicyWebhook
    "exec format error",  # the image is for another architecture
    "not found in $PATH",
    "no match for platform in manifest",
    "no matching manifest for ",
    "cannot be used on this platform",
    "memory limit too low",  # the runtime, of a limit below what a container takes
    "must specify ",  # a quota that requires a request or a limit
    " per Container is ",  # a LimitRange
    " per Pod is ",
    " per PersistentVolumeClaim is ",
)
# The runtime, of a program that is not in its image or that nobody may execute.
_NO_PROGRAM: Final = re.compile(
    r'exec: "[^"]*": (stat [^:]*: no such file|permission denied|is a directory)'
)
_QUOTA: Final = re.compile(r"exceeded quota: [^,]+, requested: (.+), used: .+, limited: (.+)$")
_QUANTITY: Final = re.compile(r"^(\d+(?:\.\d+)?(?:[eE]\d{1,3})?)([a-zA-Z]{0,2})$")
_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", start=1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)},
}


def lasts(trouble: str) -> bool:
    """Whether the same pod would always be refused, regardless of other pods in the cluster."""
    if "exceeded quota" in trouble:
        return _exceeds_empty_quota(trouble)
    if _NO_PROGRAM.search(trouble):
        return True
    return any(text in trouble for text in _LASTING)


def _exceeds_empty_quota(trouble: str) -> bool:
    """Whether the request exceeds the quota even if nothing else uses it."""
    match = _QUOTA.search(trouble.strip())
    if match is None:
        return False
    requested, hard = _amounts(match[1]), _amounts(match[2])
    # A quota of 0 closes a namespace, usually for a limited time.
    return any(0 < hard[name] < amount for name, amount in requested.items() if name in hard)


def _amounts(text: str) -> dict[str, Decimal]:
    pairs = (item.partition("=") for item in text.split(","))
    known = ((name.strip(), _QUANTITY.match(value.strip())) for name, _, value in pairs)
    return {
        name: Decimal(match[1]) * _SUFFIXES[match[2]]
        for name, match in known
        if match is not None and match[2] in _SUFFIXES
    }
