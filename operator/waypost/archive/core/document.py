"""The document of a finished run: the objects as the API server had them.

    {"v": 1, "run": AgentWorkflow, "approvals": [...], "records": [NodeRecords], "leftOut": [names]}

So a reader describes an archived run with the code for a run in the cluster. Metadata that changes
without a change of content, and the condition Archived, are left out: the same end of a run gives
the same bytes.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from waypost.api.meta import Condition
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Obj

VERSION: Final = 1
FINAL: Final = frozenset({"Succeeded", "Failed", "Cancelled", "Rejected"})
# Payloads that no reader of a finished run shows: they can be large.
_WITHOUT_CONTENT: Final = frozenset({"Artifact", "Journal"})
_CONTENT: Final = ("data", "compressed")
_VOLATILE: Final = ("managedFields", "resourceVersion")


@dataclass(frozen=True)
class Document:
    """The document of a run in the form in which it is stored.

    Attributes:
        digest: `sha256:` and the digest of its JSON.
        size: Bytes of its JSON.
        content: Its JSON, compressed.
    """

    digest: str
    size: int
    content: bytes


def has_ended(run: Obj) -> bool:
    """Whether a run has ended and no later round is requested."""
    status = section(run, "status")
    asked, round_ = section(run, "spec", "rerun").get("round"), status.get("round")
    again = isinstance(asked, int) and asked > (round_ if isinstance(round_, int) else 1)
    phase = text(status, "phase")
    ended = phase in FINAL and bool(text(status, "finishedAt"))
    return ended and (not again or phase == "Rejected")


def is_archived(run: Obj) -> bool:
    """Whether the condition Archived of a run is True."""
    return any(
        (one.get("type"), one.get("status")) == (Condition.ARCHIVED, "True")
        for one in items(run, "status", "conditions")
    )


def kept_record(record: Obj) -> Obj:
    """What the document keeps of a NodeRecord: of artifacts and journals not the content."""
    spec = section(record, "spec")
    if text(spec, "type") in _WITHOUT_CONTENT:
        spec = {key: value for key, value in spec.items() if key not in _CONTENT}
    return _plain({**record, "spec": spec})


def document(
    run: Obj, *, approvals: Iterable[Obj], records: Iterable[Obj], left_out: Iterable[str] = ()
) -> Obj:
    """The document of a run.

    Args:
        run: The AgentWorkflow.
        approvals: Its Approvals.
        records: Its NodeRecords as `kept_record` gave them.
        left_out: Names of its other NodeRecords.
    """
    status = section(run, "status")
    conditions = [
        one for one in items(run, "status", "conditions") if one.get("type") != Condition.ARCHIVED
    ]
    return {
        "v": VERSION,
        "run": _plain({**run, "status": {**status, "conditions": conditions}}),
        "approvals": sorted((_plain(one) for one in approvals), key=_name),
        "records": sorted(records, key=_name),
        "leftOut": sorted(left_out),
    }


def encode(value: Obj) -> Document:
    """A document as it is stored; the same document always gives the same digest."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    raw = canonical.encode("utf-8", "surrogatepass")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return Document(digest, len(raw), zlib.compress(raw))


def decode(stored: Document) -> Obj:
    """The document in its stored form.

    Raises:
        ValueError: It does not match its digest, or is of a later version.
    """
    try:
        raw = zlib.decompress(stored.content)
    except zlib.error as error:
        raise ValueError(f"the document cannot be unpacked: {error}") from error
    if f"sha256:{hashlib.sha256(raw).hexdigest()}" != stored.digest:
        raise ValueError(f"the document does not match its digest {stored.digest}")
    value: Any = json.loads(raw.decode("utf-8", "surrogatepass"))
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise ValueError("the document is of another version of Waypost")
    return value


def _name(body: Obj) -> str:
    return text(section(body, "metadata"), "name")


def _plain(body: Obj) -> Obj:
    """The object without metadata that changes without a change of content."""
    metadata = section(body, "metadata")
    kept = {key: value for key, value in metadata.items() if key not in _VOLATILE}
    return {**body, "metadata": kept}
