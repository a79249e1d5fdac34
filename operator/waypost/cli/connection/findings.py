"""Checks of a cluster for `waypost doctor` and the page You. Each is independent: one that fails
hides no other."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from waypost.cli.connection.cluster import Session
from waypost.cli.connection.people import may, user_name
from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import ClusterError, Kind, Obj, Unavailable

_RIGHTS: Final = (
    ("see runs", "list", "agentworkflows", "waypost.dev", "waypost-view"),
    ("see payloads and traces", "get", "noderecords", "waypost.dev", "waypost-view-payloads"),
    ("start runs", "create", "agentworkflows", "waypost.dev", "waypost-edit"),
    ("rerun and cancel", "patch", "agentworkflows", "waypost.dev", "waypost-edit"),
    ("answer approvals", "approve", "approvals", "waypost.dev", "waypost-approver"),
    ("review memory", "review", "memoryentries", "waypost.dev", "waypost-memory-reviewer"),
    ("read logs", "get", "pods/log", "", "view"),
)
_OURS: Final = (
    Kind.AGENT_WORKFLOW,
    Kind.AGENT_WORKFLOW_TEMPLATE,
    Kind.APPROVAL,
    Kind.MODEL_PROVIDER,
    Kind.TOOL_SERVER,
)
_UNSEEN: Final = timedelta(seconds=60)
_PAGE: Final = 200  # runs that are looked at


@dataclass(frozen=True)
class Finding:
    """The result of one check: ok, warning or failed; and what was found."""

    check: str
    result: str
    text: str


async def examine(session: Session) -> list[Finding]:
    """All checks, in the order in which a person repairs them; "" as namespace: in all of them.

    Raises:
        Unavailable: The API server cannot be reached.
    """
    user = await user_name(session)
    found = [Finding("user", "ok" if user else "warning", user or "the API server does not say")]
    for kind in _OURS:
        found.append(await _kind(session, kind))
    found.append(await _operator(session))
    found.append(await _policy(session))
    found += await _identities(session)
    for kind in (Kind.MODEL_PROVIDER, Kind.TOOL_SERVER):
        found += await _ready(session, kind)
    found += [await _right(session, right) for right in _RIGHTS]
    return found


async def _kind(session: Session, kind: Kind) -> Finding:
    try:
        page = await session.cluster.page(kind, namespace=session.namespace, limit=1)
    except Unavailable:
        raise  # every other check would say the same
    except ClusterError as error:
        if error.code == 404:
            text_ = "the cluster does not have this kind: install the chart"
            return Finding(kind.kind, "failed", text_)
        return Finding(kind.kind, "warning", error.message)
    more = "exist" if page.items else "none"
    return Finding(kind.kind, "ok", f"served; in {_where(session)}: {more}")


def _where(session: Session) -> str:
    return f"namespace {session.namespace}" if session.namespace else "all namespaces"


async def _operator(session: Session) -> Finding:
    """Whether the operator looks at runs: it writes the generation that it has seen."""
    try:
        page = await session.cluster.page(
            Kind.AGENT_WORKFLOW, namespace=session.namespace, limit=_PAGE
        )
    except ClusterError as error:
        return Finding("operator", "warning", error.message)
    waiting = [text(section(run, "metadata"), "name") for run in page.items if _unseen(run)]
    if waiting:
        text_ = f"has not looked at {', '.join(waiting[:5])}: is it running, and does it serve "
        return Finding("operator", "failed", f"{text_}{_where(session)}?")
    if not page.items:
        return Finding("operator", "warning", f"no run in {_where(session)} to judge it by")
    return Finding("operator", "ok", "has looked at every run")


async def _policy(session: Session) -> Finding:
    """Whether the API server checks who answers Approvals: the binding of the policy denies."""
    check = "policy on Approvals"
    try:
        listed = await session.cluster.list(
            Kind.ADMISSION_BINDING, labels="app.kubernetes.io/part-of=waypost"
        )
    except ClusterError as error:
        return Finding(check, "warning", f"cannot be read with your rights: {error.message}")
    names = [
        text(section(one, "metadata"), "name")
        for one in listed.items
        if text(section(one, "spec"), "policyName").endswith("-approvals")
        and "Deny" in section(one, "spec").get("validationActions", ())
    ]
    if names:
        return Finding(check, "ok", f"{', '.join(names)}: in force")
    text_ = "none denies: anyone who may patch an Approval can answer in any name"
    return Finding(check, "warning", f"{text_} (policies.admission of the chart)")


async def _identities(session: Session) -> list[Finding]:
    """Whether the answers that are recorded in the namespace are verified."""
    try:
        page = await session.cluster.page(Kind.APPROVAL, namespace=session.namespace, limit=_PAGE)
    except ClusterError:
        return []  # said by the check of the kind
    doubts = [_doubt(one) for one in page.items]
    answered = [doubt for doubt in doubts if doubt is not None]
    doubtful = [doubt for doubt in answered if doubt]
    if not answered:
        return []
    if not doubtful:
        return [Finding("answers", "ok", f"{len(answered)} recorded, all verified")]
    found = f"{len(doubtful)} of {len(answered)} recorded answers are not verified"
    return [Finding("answers", "warning", f"{found}, such as {doubtful[0]}")]


def _doubt(approval: Obj) -> str | None:
    """Why the answer of an Approval is not verified; "" if it is, None if none is recorded."""
    found = _condition(items(approval, "status", "conditions"), "IdentityVerified")
    if found is None:
        return None
    name = text(section(approval, "metadata"), "name")
    return "" if text(found, "status") == "True" else f"{name}: {text(found, 'message')}"


def _unseen(run: Obj) -> bool:
    metadata, status = section(run, "metadata"), section(run, "status")
    generation, seen = metadata.get("generation"), status.get("observedGeneration", 0)
    created = parse_timestamp(text(metadata, "creationTimestamp"))
    young = created is None or datetime.now(UTC) - created < _UNSEEN
    return isinstance(generation, int) and isinstance(seen, int) and seen < generation and not young


async def _ready(session: Session, kind: Kind) -> list[Finding]:
    try:
        listed = await session.cluster.list(kind, namespace=session.namespace)
    except ClusterError:
        return []  # said by the check of the kind
    return [_readiness(kind, body) for body in listed.items]


def _readiness(kind: Kind, body: Obj) -> Finding:
    check = f"{kind.kind} {text(section(body, 'metadata'), 'name')}"
    ready = _condition(items(body, "status", "conditions"), "Ready")
    if ready is None:
        return Finding(check, "warning", "not probed yet")
    result = {"True": "ok", "False": "failed"}.get(text(ready, "status"), "warning")
    words = ": ".join(part for part in (text(ready, "reason"), text(ready, "message")) if part)
    return Finding(check, result, words)


def _condition(conditions: Iterable[Obj], type_: str) -> Obj | None:
    return next((one for one in conditions if one.get("type") == type_), None)


async def _right(session: Session, right: tuple[str, str, str, str, str]) -> Finding:
    what, verb, resource, group, role = right
    check = f"you may {what}"
    try:
        allowed = await may(session, verb, resource, group=group)
    except ClusterError as error:
        return Finding(check, "warning", error.message)
    if allowed:
        return Finding(check, "ok", "yes")
    return Finding(check, "warning", f"no; role {role} grants it")
