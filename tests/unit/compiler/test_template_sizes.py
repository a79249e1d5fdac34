"""How many bytes a run of 200 nodes stores, with its nodes in it and as a run of a template."""

import json

from waypost.kube import node_records
from waypost.kube.manifests.attempt_job import Owner
from waypost.ports.cluster import Obj

from tests.support.builders import python, spec

NODES = 200
# Each launch and each end of a node is a write of the run, if no two of them coincide.
WRITES = 2 * NODES + 2
SOURCE = "def run(text):\n" + "    # What a program of 2 KiB does.\n" * 60 + "    return text\n"


def stored(value: Obj) -> int:
    """Bytes of JSON."""
    return len(json.dumps(value, separators=(",", ":")))


def test_a_run_of_a_template_stores_a_fraction() -> None:
    body = spec(
        *(python(f"n{i}", source=SOURCE, inputs={"text": "${inputs.text}"}) for i in range(NODES))
    )
    own = stored({**body, "inputs": {"text": "x"}}) * WRITES
    reference = stored({"templateRef": {"name": "t"}, "inputs": {"text": "x"}}) * WRITES
    owner = Owner(name="run", namespace="team", uid="u" * 36).reference()
    record = node_records.definition(body, owner=owner, namespace="team")
    assert record is not None
    pinned = reference + stored(record)
    print(f"spec in all writes: {own} bytes; of a template, with its record: {pinned} bytes")
    assert pinned * 100 < own
