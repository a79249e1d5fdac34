"""Reads a run, and makes the manifest of a new run that takes over its checkpoints."""

from datetime import UTC, datetime
from typing import Final

from waypost.cli.connection.changes import next_round
from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.connection.definitions import body
from waypost.cli.connection.records import read_records
from waypost.cli.errors import CommandError, Exit
from waypost.compiler.definition import define
from waypost.compiler.templates import TemplateBody, resolve
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Obj
from waypost.views.documents import ForkPreview
from waypost.views.run.fork import fork, new_run

# What a run was asked for, and who asked: nothing of it holds for a new run.
_OF_THE_RUN: Final = (
    "templateRef",
    "parent",
    "rerun",
    "requestedBy",
    "origin",
    "suspend",
    "cancel",
    "skipFinally",
)


async def forked(
    session: Session, source: str, *, asked: Obj, inputs: Obj, edited: Obj | None, name: str | None
) -> tuple[ForkPreview, Obj]:
    """What a new run takes over, and its manifest, which must not be used if there are problems.

    Args:
        session: Where the old run is.
        source: The old run.
        asked: `from`, `skip` and `outputs`, as of `spec.rerun`.
        inputs: Inputs that replace those of the old run.
        edited: The spec of the new run; None: that of the old one.
        name: The name of the new run; None: one that begins with that of the old one.

    Raises:
        CommandError: The old run does not exist, or cannot be the source of a new one.
        CannotShow: Its definition or its status cannot be read.
        ClusterError: A request failed.
    """
    run = await find_run(session, source)
    spec = await _spec(session, run, edited)
    if inputs:
        spec["inputs"] = {**section(spec, "inputs"), **inputs}
    changed: Obj = {**run, "spec": {**spec, "rerun": {"round": next_round(run), **asked}}}
    outputs = [text(node, "outputRecord") for node in items(run, "status", "nodes")]
    records = await read_records(session, filter(None, outputs))
    shown, rerun = fork(changed, define(changed["spec"]), records=records, now=datetime.now(UTC))
    return shown, new_run(run, spec, rerun, name=name)


async def _spec(session: Session, run: Obj, edited: Obj | None) -> Obj:
    """The spec of the new run: its nodes stand in it, as the old run has them."""
    current = section(run, "spec")
    source = text(section(run, "metadata"), "name")
    if section(current, "parent").get("artifacts"):
        message = f"{source} takes artifacts of its parent run, which a new run cannot have"
        raise CommandError(message, code=Exit.USAGE)
    if edited is not None:
        if "templateRef" in edited:
            message = "the manifest has templateRef; fork needs the nodes themselves in it"
            raise CommandError(message, code=Exit.USAGE)
        current = edited
    elif name := text(section(current, "templateRef"), "name"):
        current = resolve(current, TemplateBody(name, await body(session, run)))
    return {key: value for key, value in current.items() if key not in _OF_THE_RUN}
