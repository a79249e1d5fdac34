"""Makes the manifest of a new run, and creates it."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from waypost.api.meta import API_VERSION
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.people import user_name
from waypost.cli.errors import CommandError, Exit
from waypost.cli.lint.manifests import Unreadable, documents
from waypost.kube.objects import section, text
from waypost.ports.cluster import AlreadyExists, Kind, NotFound, Obj, Rejected


def manifest_of(source: str, given: list[str], *, name: str | None) -> Obj:
    """The manifest of a run.

    Args:
        source: A file, - for standard input, or the name of a template.
        given: Inputs as KEY=VALUE; they replace those of the file.
        name: A name for the run; None: that of the file, or one that begins with the template's.

    Raises:
        CommandError: The file cannot be used.
    """
    inputs = given_inputs(given)
    if source == "-" or Path(source).is_file():
        found = _from_file(source)
    elif "/" in source or source.endswith((".yaml", ".yml", ".json")):
        raise CommandError(f"{source}: there is no such file", code=Exit.USAGE)
    else:
        metadata = {"generateName": f"{source}-"}
        found = {"metadata": metadata, "spec": {"templateRef": {"name": source}}}
    spec, metadata = {**section(found, "spec")}, {**section(found, "metadata")}
    if inputs:
        spec["inputs"] = {**section(spec, "inputs"), **inputs}
    if name:
        metadata = {**metadata, "name": name}
        metadata.pop("generateName", None)
    head = {"apiVersion": API_VERSION, "kind": "AgentWorkflow"}
    return {**found, **head, "metadata": metadata, "spec": spec}


def given_inputs(pairs: Iterable[str]) -> Obj:
    """Inputs given as KEY=VALUE. Raises CommandError."""
    return dict(_input(pair) for pair in pairs)


def _input(pair: str) -> tuple[str, Any]:
    key, separator, value = pair.partition("=")
    if not separator or not key:
        raise CommandError(f"--input {pair!r}: expected KEY=VALUE", code=Exit.USAGE)
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--input {key}: {error}", code=Exit.USAGE) from error
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _from_file(source: str) -> Obj:
    try:
        content = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
        found = [document.value for document in documents(content)]
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise CommandError(f"{source}: {error}", code=Exit.USAGE) from error
    objects = [one for one in found if isinstance(one, dict)]
    runs = [one for one in objects if one.get("kind") == "AgentWorkflow"]
    if len(runs) != 1:
        text_ = f"{source}: expected one AgentWorkflow, found {len(runs)}"
        raise CommandError(text_, code=Exit.USAGE)
    for other in objects:
        if other is not runs[0]:
            what = f"{other.get('kind')} {text(section(other, 'metadata'), 'name')}"
            typer.echo(f"not created: {what}; `kubectl apply -f` creates it", err=True)
    return runs[0]


async def create(session: Session, manifest: Obj) -> Obj:
    """Create the run, in the name of the user. Raises CommandError with the server's words."""
    spec = section(manifest, "spec")
    metadata = section(manifest, "metadata")
    namespace = text(metadata, "namespace") or session.namespace
    if namespace != session.namespace:
        text_ = f"the manifest is for namespace {namespace}: use -n {namespace}"
        raise CommandError(text_, code=Exit.USAGE)
    if "requestedBy" not in spec and (user := await user_name(session)):
        manifest = {**manifest, "spec": {**spec, "requestedBy": user}}
    await _check_template(session, spec)
    try:
        return await session.cluster.create(
            Kind.AGENT_WORKFLOW, namespace=session.namespace, body=manifest
        )
    except AlreadyExists as error:
        name = text(metadata, "name")
        raise CommandError(f"run {name} exists; choose another one with --name") from error
    except Rejected as error:
        if error.code == 403:
            raise
        raise CommandError(error.message) from error


async def _check_template(session: Session, spec: Obj) -> None:
    """A run of a missing template would wait for it; a person who types a name has mistyped it."""
    name = text(section(spec, "templateRef"), "name")
    if not name:
        return
    try:
        await session.cluster.get(
            Kind.AGENT_WORKFLOW_TEMPLATE, namespace=session.namespace, name=name
        )
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        found = await session.cluster.list(
            Kind.AGENT_WORKFLOW_TEMPLATE, namespace=session.namespace
        )
        names = sorted(text(section(one, "metadata"), "name") for one in found.items)
        listed = f"templates are: {', '.join(names[:10])}" if names else "there are none"
        message = f"no file and no AgentWorkflowTemplate {name!r} in {session.namespace}; {listed}"
        raise CommandError(message, code=Exit.NOT_FOUND) from error
