"""The admission policy on Approvals in the API server in memory, as the chart installs it. It
refuses nothing there: these tests are about what the operator makes of it.
"""

from typing import Final

from waypost.ports.cluster import Kind, Obj, PatchType
from waypost.runtime.settings import ApprovalSettings

from tests.support.harness import World

NAME: Final = "waypost-approvals"
KINDS: Final = (Kind.ADMISSION_POLICY, Kind.ADMISSION_BINDING)
STANDARD: Final = ApprovalSettings(policy=NAME, strict=False)
STRICT: Final = ApprovalSettings(policy=NAME, strict=True)


def policy() -> Obj:
    """The policy, as far as the operator reads it."""
    rule = {"apiGroups": ["waypost.dev"], "resources": ["approvals"]}
    return {
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "true"}],
        },
    }


def binding(**spec: object) -> Obj:
    """Its binding, with these fields."""
    bound = {"policyName": NAME, "validationActions": ["Deny"], **spec}
    return {"metadata": {"name": NAME}, "spec": bound}


async def install(world: World) -> None:
    """Install both; they count some seconds later."""
    for kind, body in zip(KINDS, (policy(), binding()), strict=True):
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        await world.user.create(kind, namespace="", body=whole)


async def remove(world: World, *kinds: Kind) -> None:
    """Remove one, or both."""
    for kind in kinds or KINDS:
        await world.user.delete(kind, namespace="", name=NAME)


async def bind(world: World, *actions: str) -> None:
    """Change what the binding does."""
    await world.user.patch(
        Kind.ADMISSION_BINDING,
        namespace="",
        name=NAME,
        body={"spec": {"validationActions": list(actions)}},
        patch_type=PatchType.MERGE,
    )
