"""What an attempt takes: the operator pins a record and a digest for each entry of artifacts.in.

An expression can only choose between artifacts that checkpoints of this run, of its child runs or
of the runs above name: the output of a model or of a program cannot name another one.
"""

from waypost.api.base import JsonObject
from waypost.api.nodes.artifacts import ArtifactIn
from waypost.api.workflow import Node
from waypost.engine.state.artifacts import known
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, render_json
from waypost.kube.manifests.artifacts import ArtifactPlan, PinnedArtifact, plan, volumes_of
from waypost.protocol.artifacts.request import Content

MOST_FOLDERS = 100  # of one entry that is a list
_NO_GATEWAY = (
    "artifacts need the gateway, and this installation has none; set gateway.enabled in the "
    "chart's values"
)


def resolve(transition: Transition, node: Node, view: JsonObject) -> ArtifactPlan | Invalid | None:
    """The artifacts of an attempt that is about to be launched.

    Args:
        transition: The next status of the run.
        node: The node.
        view: The evaluation context of the fields of the node.

    Returns:
        None if the node has none; Invalid if an expression gives something else.
    """
    if node.artifacts is None:
        return None
    if transition.settings.gateway_url is None:
        return Invalid(_NO_GATEWAY)
    volumes, pinned = volumes_of(node), []
    for at, entry in enumerate(node.artifacts.in_ or ()):
        place = f"artifacts.in[{at}].from"
        found = _entry(transition, entry, volumes[entry.path], view)
        if isinstance(found, str):
            return Invalid(f"{place}: {found}")
        pinned += found
    return plan(node, pinned)


def _entry(
    transition: Transition, entry: ArtifactIn, volume: str, view: JsonObject
) -> list[PinnedArtifact] | str:
    """What an entry takes; a text if it cannot be used."""
    value = render_json(entry.from_, view)
    if isinstance(value, RenderError):
        return value.message
    if isinstance(value, list):
        if len(value) > MOST_FOLDERS:
            return f"{len(value)} artifacts, the limit is {MOST_FOLDERS}"
        several = [(str(index), one) for index, one in enumerate(value) if one is not None]
    else:
        several = [("", value)]
    pinned, there = [], known(transition)
    for folder, one in several:
        digest = one.get("digest") if isinstance(one, dict) else None
        made = there.get(digest) if isinstance(digest, str) else None
        if made is None:
            return (
                f"expected an artifact that a node of this run has made or its inputs name, found "
                f"{one!r:.120}; write ${{nodes.<node>.artifacts.<name>}}"
            )
        content = Content(made.digest, made.bytes, made.files)
        pinned.append(PinnedArtifact(volume, folder, content, made.record))
    return pinned
