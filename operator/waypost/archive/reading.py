"""Reads what belongs to a finished run, within a bound of memory."""

from waypost.api.meta import LABEL_PARENT, LABEL_RUN
from waypost.archive.core.document import document, kept_record
from waypost.kube.objects import section, text
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj


async def read_document(cluster: Cluster, run: Obj, *, limit: int) -> Obj:
    """The document of a run, with its Approvals and as many of its NodeRecords as fit.

    Args:
        cluster: Where.
        run: The run, which has ended.
        limit: Maximum bytes of the payloads in its NodeRecords. The definition comes first, the
            others by name; the document names those that are left out.

    Raises:
        ClusterError: A read failed.
    """
    metadata = section(run, "metadata")
    namespace, selector = text(metadata, "namespace"), f"{LABEL_RUN}={text(metadata, 'uid')}"
    approvals = await cluster.list(Kind.APPROVAL, namespace=namespace, labels=selector)
    names = await _record_names(cluster, run, namespace=namespace, selector=selector)
    records: list[Obj] = []
    left_out: list[str] = []
    used = 0
    for name in names:
        if used > limit:
            left_out.append(name)
            continue
        try:
            found = await cluster.get(Kind.NODE_RECORD, namespace=namespace, name=name)
        except NotFound:
            left_out.append(name)
            continue
        kept = kept_record(found)
        used += _bytes(kept)
        records.append(kept)
    return document(run, approvals=approvals.items, records=records, left_out=left_out)


async def child_runs(cluster: Cluster, run: Obj) -> tuple[Obj, ...]:
    """The child runs that exist. Raises ClusterError."""
    metadata = section(run, "metadata")
    found = await cluster.list(
        Kind.AGENT_WORKFLOW,
        namespace=text(metadata, "namespace"),
        labels=f"{LABEL_PARENT}={text(metadata, 'uid')}",
    )
    return found.items


async def _record_names(cluster: Cluster, run: Obj, *, namespace: str, selector: str) -> list[str]:
    listed = await cluster.list(
        Kind.NODE_RECORD, namespace=namespace, labels=selector, metadata_only=True
    )
    names = sorted(text(section(one, "metadata"), "name") for one in listed.items)
    first = text(section(run, "status", "template"), "record")
    return sorted(names, key=lambda name: name != first)


def _bytes(record: Obj) -> int:
    """About how many bytes the payload of a record takes in the document."""
    spec = section(record, "spec")
    compressed, size = spec.get("compressed"), spec.get("size")
    if isinstance(compressed, str):
        return len(compressed)
    return size if isinstance(size, int) and "data" in spec else 0
