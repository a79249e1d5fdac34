"""NodeRecords that the API server refuses."""

from tests.crds.manifests import kept, record
from tests.crds.refused_kinds import row

RECORDS = [
    row("record-of-nobody", record(run=None), "spec.run"),
    row("record-of-unknown-type", record(type="Diary"), "spec.type: Unsupported value"),
    row(
        "record-in-two-forms",
        record(object="k"),
        "the payload must be in one of data, compressed and object; found data, object",
    ),
    row("record-in-two-places", kept(compressed="a", object="k"), "found compressed, object"),
    row("record-too-long", kept(compressed="A" * 1_400_001), "spec.compressed: Too long"),
    row("record-without-key", kept(object=""), "spec.object"),
]
