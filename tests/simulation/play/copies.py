"""A person copies the pod of an attempt, with its labels, annotations and program.

`copy`: the `number`th pod, `at` seconds after it was made. `choice` says what the copy has beside
them: `alone` nothing (as `kubectl debug --copy-to`), `owned` another controller, `alike` a name
like the Job's and the finalizer; then whether its program `succeeds` or `hangs`.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from waypost.api import meta
from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.simulation.scenario.plan import RUN, Trouble
from tests.simulation.watching.evidence import PodStory
from tests.support.harness import NAMESPACE

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

LOOKS: Final = ("alone", "owned", "alike")
ENDS: Final = ("succeeds", "hangs")
CHOICES: Final = tuple(f"{look} {end}" for look in LOOKS for end in ENDS)
# The API server gives times in whole seconds: a copy of the same second passes for an original.
_YOUNGER: Final = 1.0


async def copy(stage: "Stage", trouble: Trouble) -> None:
    """Copy a pod, unless the run has ended before there are so many."""
    story: PodStory = await stage.nth(lambda: list(stage.seen.pods.values()), trouble.number)
    await asyncio.sleep(_YOUNGER + trouble.at)
    if stage.has_ended:
        return
    stage.exercise(trouble, story.name)
    look, end = trouble.choice.split()
    body = _body(story, look, run_uid=stage.seen.run["metadata"]["uid"])
    name = body["metadata"]["name"]
    stage.seen.copies[name] = end == "hangs"
    with contextlib.suppress(ClusterError):  # twice in one play
        await stage.world.user.create(Kind.POD, namespace=NAMESPACE, body=body)


def _body(story: PodStory, look: str, *, run_uid: str) -> Obj:
    original = story.body["metadata"]
    metadata: dict[str, Any] = {
        "name": f"copy-of-{original['name']}"[:63],
        "labels": dict(original["labels"]),
        "annotations": dict(original.get("annotations", {})),
    }
    if look == "owned":
        owner = {"apiVersion": meta.API_VERSION, "kind": "AgentWorkflow", "name": RUN}
        metadata["ownerReferences"] = [{**owner, "uid": run_uid, "controller": True}]
    elif look == "alike":
        metadata["name"] = f"{original['name'][:-5]}zzzzz"
        metadata["finalizers"] = [meta.FINALIZER_RESULT]
    spec = {k: v for k, v in story.body["spec"].items() if k != "nodeName"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
