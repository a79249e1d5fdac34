"""The definition of a run: from its spec, or from the record that its status names."""

from waypost.cli.archive.source import Source
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.records import record_of
from waypost.cli.errors import CommandError, Exit
from waypost.compiler.definition import Definition
from waypost.compiler.templates import body_of, define_run
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, NotFound, Obj
from waypost.views.errors import CannotShow
from waypost.views.observed import definition_of, fields_of


async def definition(session: Source, run: Obj) -> Definition:
    """The definition of a run. Raises CannotShow if its template's record cannot be read."""
    return definition_of(run, await record_of(session, run))


async def known_definition(session: Source, run: Obj) -> tuple[Definition | None, str]:
    """As `definition`; None and why, if it cannot be read or used."""
    return known_of(run, await record_of(session, run))


def known_of(run: Obj, record: Obj | None) -> tuple[Definition | None, str]:
    """As `known_definition`, with the record that the status of the run names."""
    try:
        found = definition_of(run, record)
    except CannotShow as error:
        return None, str(error)
    if not found.graph.order:
        return None, "; ".join(str(problem) for problem in found.problems[:3])
    return found, ""


async def body(session: Source, run: Obj) -> Obj:
    """What a run took from its template; empty for a run with its own nodes. Raises CannotShow."""
    if not section(run, "spec", "templateRef"):
        return {}
    return fields_of(run, await record_of(session, run))


async def latest_definition(session: Session, run: Obj) -> Definition:
    """The definition that the run would have with its template as it is now.

    Raises:
        CommandError: The run has no template, or it does not exist.
    """
    spec = section(run, "spec")
    name = text(section(spec, "templateRef"), "name")
    if not name:
        raise CommandError("--latest: the run has no template", code=Exit.USAGE)
    try:
        found = await session.cluster.get(
            Kind.AGENT_WORKFLOW_TEMPLATE, namespace=session.namespace, name=name
        )
    except NotFound as error:
        raise CommandError(f"--latest: there is no template {name}", code=Exit.NOT_FOUND) from error
    return define_run(spec, body_of(name, section(found, "spec")))
