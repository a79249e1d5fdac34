"""Templates in a World, and runs of them."""

from typing import Final

from waypost.ports.cluster import Kind, Obj

from tests.support.harness import NAMESPACE, World

REVIEW: Final = "review"
RUN_OF: Final[Obj] = {"templateRef": {"name": REVIEW}}


async def create_template(world: World, body: Obj, name: str = REVIEW) -> Obj:
    """Create a template."""
    manifest = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflowTemplate",
        "metadata": {"name": name},
        "spec": body,
    }
    return await world.user.create(Kind.AGENT_WORKFLOW_TEMPLATE, namespace=NAMESPACE, body=manifest)
