"""The artifacts that a run can take: those that its checkpoints and its inputs name.

Checkpoints of child runs count through their node: it has what their outputs name. A loop has those
of its last iteration, for the next one.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.nodes.artifacts import (
    ArtifactStatus,
    PassedArtifact,
    digests_in,
    from_made_texts,
)
from waypost.api.status import NodeStatus
from waypost.api.template.parent import MAX_ARTIFACTS
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, render_json
from waypost.kube.items import artifacts as item_artifacts

MOST_OF_LIST: Final = 100
_ADVICE: Final = "put several folders into one"


def known(transition: Transition) -> dict[str, PassedArtifact]:
    """The artifacts that the run can take, by digest."""
    lineage = transition.observed.lineage
    found = {one.digest: one for one in (lineage and lineage.artifacts) or ()}
    for status in transition.node_statuses:
        last = status.loop.artifacts if status.loop is not None else None
        own = status.artifacts if status.phase == "Succeeded" else None
        for made in (*from_made_texts(last), *(own or ()), *_of_items(transition, status)):
            found[made.digest] = PassedArtifact(
                digest=made.digest, bytes=made.bytes, files=made.files, record=made.record
            )
    return found


def _of_items(transition: Transition, status: NodeStatus) -> Iterator[ArtifactStatus]:
    """Those of the items of a map, if their NodeRecord was read."""
    if status.path in transition.graph.nodes:
        record = item_artifacts.record_of(transition.node(status.path), status)
        yield from item_artifacts.all_in(transition.payloads.get(record or ""))


def named(
    from_: str, view: JsonObject, there: Mapping[str, PassedArtifact]
) -> list[tuple[str, PassedArtifact]] | str:
    """The artifacts that an expression gives.

    Args:
        from_: The text of the expression.
        view: The evaluation context.
        there: The artifacts that the run can take, by digest.

    Returns:
        Each with its index, which is "" if the value is no list; a text if it cannot be used.
    """
    value = render_json(from_, view)
    if isinstance(value, RenderError):
        return value.message
    if isinstance(value, list):
        if len(value) > MOST_OF_LIST:
            return f"{len(value)} artifacts, the limit is {MOST_OF_LIST}"
        several = [(str(index), one) for index, one in enumerate(value) if one is not None]
    else:
        several = [("", value)]
    found = []
    for index, one in several:
        digest = one.get("digest") if isinstance(one, dict) else None
        made = there.get(digest) if isinstance(digest, str) else None
        if made is None:
            return (
                f"expected an artifact that a node of this run has made or its inputs name, found "
                f"{one!r:.120}; write ${{nodes.<node>.artifacts.<name>}}"
            )
        found.append((index, made))
    return found


def passed(transition: Transition, inputs: JsonObject) -> list[PassedArtifact] | Invalid:
    """The artifacts that the inputs of a child run name; Invalid if there are too many."""
    there = known(transition)
    named = sorted(digests_in(inputs) & set(there)) if there else []
    if len(named) > MAX_ARTIFACTS:
        text = f"the inputs name {len(named)} artifacts, the limit is {MAX_ARTIFACTS}; {_ADVICE}"
        return Invalid(text)
    return [there[digest] for digest in named]
