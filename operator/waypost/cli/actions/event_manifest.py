"""Makes the manifest of a WorkflowEvent, creates it, and delivers one again."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from waypost.api.event.model import WorkflowEventSpec
from waypost.api.meta import API_VERSION
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.starting import create
from waypost.cli.errors import CommandError, Exit
from waypost.cli.report.output import RESOURCES
from waypost.compiler.validation_errors import problems_of
from waypost.kube.objects import section, text
from waypost.kube.workflow_events import event_fact
from waypost.ports.cluster import AlreadyExists, Kind, NotFound, Obj, Rejected

_PREFIX = 40  # characters that a generated name takes from an older one
_SOME_TIME = "2026-01-01T00:00:00Z"  # the event gets its own from the API server


def manifest_of(name: str, *, key: str, run: str, payload: str, id_: str) -> Obj:
    """The manifest of an event.

    Args:
        name: What happened.
        key: What it happened to; "" if it is for one run.
        run: The name of that run, or "".
        payload: JSON, or @FILE with JSON; "" for none.
        id_: The name of the object; "" lets the API server choose one.

    Raises:
        CommandError: The API server or the operator would refuse it.
    """
    spec: dict[str, Any] = {"name": name}
    spec |= {"key": key} if key else {}
    spec |= {"workflow": run} if run else {}
    if payload:
        spec["payload"] = _json(payload)
    try:
        WorkflowEventSpec.model_validate(spec)
    except ValidationError as error:
        found = "; ".join(map(str, problems_of(error, WorkflowEventSpec)))
        raise CommandError(found, code=Exit.USAGE) from error
    metadata = {"name": id_} if id_ else {"generateName": "event-"}
    made = {"apiVersion": API_VERSION, "kind": "WorkflowEvent", "metadata": metadata, "spec": spec}
    fact = event_fact({**made, "metadata": {"name": "x", "creationTimestamp": _SOME_TIME}})
    if fact is not None and fact.problem:
        raise CommandError(fact.problem, code=Exit.USAGE)
    return made


def _json(given: str) -> Any:
    try:
        content = Path(given[1:]).read_text("utf-8") if given.startswith("@") else given
        return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        message = f"--payload: expected JSON, or @FILE with JSON: {error}"
        raise CommandError(message, code=Exit.USAGE) from error


async def send(session: Session, manifest: Obj) -> tuple[str, bool]:
    """Create the event. One with the same name and spec was sent before, which is success.

    Returns:
        Its name, and whether it is new.

    Raises:
        CommandError: The API server refuses it, or another event has its name.
    """
    namespace = session.namespace
    try:
        made = await session.cluster.create(Kind.WORKFLOW_EVENT, namespace=namespace, body=manifest)
    except AlreadyExists as error:
        name = str(manifest["metadata"].get("name"))
        found = await session.cluster.get(Kind.WORKFLOW_EVENT, namespace=namespace, name=name)
        if section(found, "spec") != manifest["spec"]:
            message = f"another event has the id {name}; choose another --id"
            raise CommandError(message) from error
        return name, False
    except Rejected as error:
        if error.code == 403:
            raise
        raise CommandError(error.message) from error
    return str(made["metadata"]["name"]), True


async def replayed(session: Session, name: str) -> tuple[str, str]:
    """Deliver the event of an EventSource again: send a new one, or start a run.

    Returns:
        The resource of the new object and its name.

    Raises:
        CommandError: There is no such event, no EventSource received it, or the API server refuses
            the new object.
    """
    try:
        found = await session.cluster.get(
            Kind.WORKFLOW_EVENT, namespace=session.namespace, name=name
        )
    except NotFound as error:
        message = f"no WorkflowEvent {name!r} in {session.namespace}; it may be deleted"
        raise CommandError(message, code=Exit.NOT_FOUND) from error
    spec = section(found, "spec")
    if "source" not in spec:
        raise CommandError(f"{name} does not come from an EventSource; use `waypost send`")
    if started := section(spec, "start"):
        template = text(section(started, "templateRef"), "name")
        run = {
            "apiVersion": API_VERSION,
            "kind": "AgentWorkflow",
            "metadata": {"generateName": f"{template[:_PREFIX]}-"},
            "spec": started,
        }
        made = await create(session, run)
        return RESOURCES["run"], str(made["metadata"]["name"])
    again = {
        "apiVersion": API_VERSION,
        "kind": "WorkflowEvent",
        "metadata": {"generateName": f"{name[:_PREFIX]}-replay-"},
        "spec": {key: spec[key] for key in ("name", "key", "payload") if key in spec},
    }
    made_name, _ = await send(session, again)
    return RESOURCES["event"], made_name
