"""Makes the manifest of a WorkflowEvent, and creates it."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from waypost.api.event.model import WorkflowEventSpec
from waypost.api.meta import API_VERSION
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import CommandError, Exit
from waypost.compiler.validation_errors import problems_of
from waypost.kube.objects import section
from waypost.kube.workflow_events import event_fact
from waypost.ports.cluster import AlreadyExists, Kind, Obj, Rejected

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
        text = Path(given[1:]).read_text("utf-8") if given.startswith("@") else given
        return json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        text = f"--payload: expected JSON, or @FILE with JSON: {error}"
        raise CommandError(text, code=Exit.USAGE) from error


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
            text = f"another event has the id {name}; choose another --id"
            raise CommandError(text) from error
        return name, False
    except Rejected as error:
        if error.code == 403:
            raise
        raise CommandError(error.message) from error
    return str(made["metadata"]["name"]), True
