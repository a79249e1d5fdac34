"""The artifacts that a run can take: those that its checkpoints and its inputs name.

Checkpoints of child runs count through their node: it has what their outputs name.
"""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.nodes.artifacts import PassedArtifact, digests_in
from waypost.api.template.parent import MAX_ARTIFACTS
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition

_ADVICE: Final = "put several folders into one"


def known(transition: Transition) -> dict[str, PassedArtifact]:
    """The artifacts that the run can take, by digest."""
    lineage = transition.observed.lineage
    found = {one.digest: one for one in (lineage and lineage.artifacts) or ()}
    for status in transition.node_statuses:
        for made in (status.artifacts or ()) if status.phase == "Succeeded" else ():
            found[made.digest] = PassedArtifact(
                digest=made.digest, bytes=made.bytes, files=made.files, record=made.record
            )
    return found


def passed(transition: Transition, inputs: JsonObject) -> list[PassedArtifact] | Invalid:
    """The artifacts that the inputs of a child run name; Invalid if there are too many."""
    there = known(transition)
    named = sorted(digests_in(inputs) & set(there)) if there else []
    if len(named) > MAX_ARTIFACTS:
        text = f"the inputs name {len(named)} artifacts, the limit is {MAX_ARTIFACTS}; {_ADVICE}"
        return Invalid(text)
    return [there[digest] for digest in named]
