"""NodeRecords of type Items: the list of a map, its results, and both after its end.

The results are in blocks. The status names at most MAX_NAMED of them: the next block names all
before it, as its `earlier`, and the status names that one instead.
"""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.items.status import ItemsStatus
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.transition import Transition
from waypost.kube import names, node_records
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson

BLOCK_BYTES: Final = 128 * 1024  # of results in one NodeRecord
MAX_NAMED: Final = 16  # blocks in the status: each write of the run repeats their names


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


def add_blocks(
    transition: Transition, path: str, blocks: list[str], results: dict[int, JsonObject]
) -> list[str]:
    """Write results in NodeRecords of at most BLOCK_BYTES.

    Args:
        transition: The pass.
        path: The path of the map.
        blocks: The names of its blocks so far.
        results: The results that are in none of them, by index.

    Returns:
        The names of the blocks from which all of them can be found.
    """
    named, block, size = list(blocks), dict[str, JsonObject](), 0
    for index in sorted(results):
        length = len(ijson.canonical(results[index]))
        if block and size + length > BLOCK_BYTES:
            named = _with_block(transition, path, named, block)
            block, size = {}, 0
        block[str(index)] = results[index]
        size += length
    return _with_block(transition, path, named, block) if block else named


def _with_block(
    transition: Transition, path: str, named: list[str], results: JsonObject
) -> list[str]:
    if len(named) < MAX_NAMED:
        return [*named, put(transition, path, {"results": results})]
    first = transition.payloads.get(named[0])
    before = first.get("earlier") or () if isinstance(first, dict) else ()
    return [put(transition, path, {"results": results, "earlier": [*before, *named]})]


def reads_of_next(items: ItemsStatus) -> set[str]:
    """The names of the NodeRecords that the next block of a map reads: without the first block, a
    chain of blocks would name each other, and its end would take a read after the other."""
    blocks = list(items.blocks or ())
    return {blocks[0]} if len(blocks) >= MAX_NAMED else set()
