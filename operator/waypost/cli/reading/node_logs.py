"""The log of a node from the first source that has it: its pod, then the kept log."""

from waypost.api.meta import LABEL_ATTEMPT, LABEL_NODE, LABEL_RUN, NODE_CONTAINER
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.log_lines import latest_pod
from waypost.cli.errors import CommandError, Exit
from waypost.kube.logs import document
from waypost.kube.objects import items, section, text, whole_number
from waypost.ports.cluster import ClusterError, Kind, NotFound, Obj, Rejected
from waypost.ports.log_end import read_log_end
from waypost.views.documents import NodeLog


async def read_node_log(
    session: Session,
    run: Obj,
    node: str,
    *,
    attempt: int | None,
    lines: int,
    limit_bytes: int,
) -> NodeLog:
    """The end of the log of a node.

    Args:
        session: Where the run is.
        run: The run.
        node: The path of the node.
        attempt: The attempt; None for the latest one that has a log.
        lines: Maximum lines, counted from the end.
        limit_bytes: Maximum bytes.

    Raises:
        CommandError: There is no log; the message says why.
        ClusterError: A request failed.
    """
    uid = text(section(run, "metadata"), "uid")
    pod, lost = None, ""
    failure: ClusterError | None = None
    try:
        pod = await latest_pod(session, uid, node=node, attempt=attempt)
    except Rejected as error:
        if error.code != 403:
            raise
        lost, failure = f"pods cannot be listed: {error.message}", error
    if pod is not None:
        name, number = pod["metadata"]["name"], _attempt_of(pod)
        try:
            found = await read_log_end(
                session.cluster,
                namespace=session.namespace,
                pod=name,
                container=NODE_CONTAINER,
                lines=lines,
                limit_bytes=limit_bytes,
            )
            shown = {"attempt": number, "pod": name, "source": f"pod {name}", "text": found.text}
            if found.cut:
                shown["notes"] = [f"older lines are left out: the limit is {limit_bytes:,} bytes"]
            return NodeLog(**_of(run, node), **shown)
        except ClusterError as error:
            lost, failure = f"pod {name} has no readable log: {error.message}", error
            attempt = number
    kept = await _kept(session, uid, node, attempt)
    if kept is None and failure is not None:
        raise failure
    if kept is None:
        raise CommandError(_missing(run, node, attempt), code=Exit.NOT_FOUND)
    name, number, log = kept
    if log.problem:
        what = f"there is no log of attempt {number} of {node}: {log.problem} (NodeRecord {name})"
        raise CommandError(what, code=Exit.NOT_FOUND)
    end = "".join(log.text.splitlines(keepends=True)[-lines:])
    end = end.encode()[-limit_bytes:].decode("utf-8", "ignore")
    source = f"NodeRecord {name}, kept at {log.read_at}"
    notes = _notes(run, node, number, log, lost)
    shown = {"attempt": number, "pod": log.pod, "source": source, "notes": notes, "text": end}
    return NodeLog(**_of(run, node), **shown)


def _of(run: Obj, node: str) -> Obj:
    metadata = section(run, "metadata")
    names = {"name": text(metadata, "name"), "namespace": text(metadata, "namespace")}
    return {**names, "path": node}


def _notes(run: Obj, node: str, number: int, log: document.KeptLog, lost: str) -> list[str]:
    latest = _latest_attempt(run, node)
    notes = [
        lost,
        f"no log of attempt {latest} exists; this is an earlier one" if latest > number else "",
        "older lines were not kept (logs.maxBytes)" if log.cut else "",
        f"the end is missing: {log.partial}" if log.partial else "",
        "" if log.text else "the program printed nothing",
    ]
    return [note for note in notes if note]


def _latest_attempt(run: Obj, node: str) -> int:
    states = [one for one in items(run, "status", "nodes") if one.get("path") == node]
    return max((_number(one.get("attempt")) for one in states), default=0)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _attempt_of(pod: Obj) -> int:
    return whole_number(section(pod, "metadata", "labels").get(LABEL_ATTEMPT))


async def _kept(
    session: Session, uid: str, node: str, attempt: int | None
) -> tuple[str, int, document.KeptLog] | None:
    """Name, attempt and content of the newest kept log of a node, or of one attempt."""
    labels = f"{LABEL_RUN}={uid},{LABEL_NODE}={node.replace('/', '.')}"
    try:
        listed = await session.cluster.list(
            Kind.NODE_RECORD, namespace=session.namespace, labels=labels
        )
    except NotFound:
        return None
    except Rejected as error:
        if error.code != 403:
            raise
        text_ = f"no pod has the log, and the kept log cannot be read: {error.message}"
        raise CommandError(text_, code=Exit.CLUSTER) from error
    found = []
    for body in listed.items:
        spec = section(body, "spec")
        number, log = _number(spec.get("attempt")), document.read(body)
        if log is not None and spec.get("path") == node and attempt in (None, number):
            found.append((number, text(section(body, "metadata"), "name"), log))
    if not found:
        return None
    number, name, log = max(found, key=lambda one: one[0])
    return name, number, log


def _missing(run: Obj, node: str, attempt: int | None) -> str:
    which = f"attempt {attempt} of {node}" if attempt else node
    where = text(section(run, "metadata"), "name")
    states = [one for one in items(run, "status", "nodes") if one.get("path") == node]
    if any(one.get("items") or one.get("loop") for one in states):
        return f"{node} of {where} has no pod; name an item or iteration, such as {node}/0"
    return (
        f"no pod and no kept log found for {which} in {where}: it has not started, its kind has no "
        "pod, it printed nothing, or its log was not kept (keep, the limit of the run); see "
        "`waypost trace`"
    )
