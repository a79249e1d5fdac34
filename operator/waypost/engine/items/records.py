"""NodeRecords of type Items: the list of a map, its results, and both after its end."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.transition import Transition
from waypost.kube import names, node_records
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson

BLOCK_BYTES: Final = 128 * 1024  # of results in one NodeRecord


def put(transition: Transition, path: str, content: JsonObject) -> str:
    """Write a NodeRecord before the status that names it.

    Returns:
        Its name.
    """
    owner, digest = transition.owner, ijson.digest(content)
    name = names.items_name(run=owner.name, run_uid=owner.uid, path=path, digest=digest)
    canonical = ijson.canonical(content)
    form = node_records.form_of(content, canonical)
    assert form is not None, "what the engine stores of items has at most 2 MiB"
    ref = AttemptRef(owner.name, owner.uid, path, 1, 1)
    manifest = node_records.manifest(
        "Items",
        ref,
        digest=digest,
        size=len(canonical),
        form=form,
        owner=owner.reference(),
        namespace=owner.namespace,
        segment=(name, None),
    )
    transition.before.append(PutRecord(manifest=manifest))
    return name


def put_blocks(transition: Transition, path: str, results: dict[int, JsonObject]) -> list[str]:
    """Write results in NodeRecords of at most BLOCK_BYTES.

    Returns:
        Their names, in the order of the items.
    """
    blocks, block, size = [], dict[str, JsonObject](), 0
    for index in sorted(results):
        length = len(ijson.canonical(results[index]))
        if block and size + length > BLOCK_BYTES:
            blocks.append(put(transition, path, {"results": block}))
            block, size = {}, 0
        block[str(index)] = results[index]
        size += length
    if block:
        blocks.append(put(transition, path, {"results": block}))
    return blocks
