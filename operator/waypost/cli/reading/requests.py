"""What an EventSource makes of a request, without sending it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from waypost.api.base import JsonObject
from waypost.api.source.model import EventSourceSpec
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import CommandError, Exit
from waypost.cli.lint.manifests import Unreadable, documents
from waypost.ingress.core.content import content_of
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.refusals import Refused, unfit
from waypost.kube import objects
from waypost.ports.cluster import Kind, NotFound, Obj
from waypost.sources.judge import NoRule, Unfit, judge, rule_for
from waypost.sources.status import read


def tried(source: Obj, headers: Headers, body: bytes) -> JsonObject:
    """What the ingress would make of a request whose sender has proved who it is.

    Args:
        source: The EventSource.
        headers: Those of the request.
        body: Its bytes.

    Returns:
        `result` (Event, Start, NoRule or Refused), and with it `rule`, `id`, `event` (the manifest
        of the WorkflowEvent) or `problem` (the problem document that the sender would get).

    Raises:
        CommandError: The source is not valid.
    """
    name = objects.text(objects.section(source, "metadata"), "name")
    spec, problems = read(objects.section(source, "spec"))
    errors = [str(one) for one in problems if one.severity == "error"]
    if spec is None or errors:
        raise CommandError(f"EventSource {name} is not valid: {'; '.join(errors)}")
    try:
        return _judged(name, spec, headers, body)
    except Refused as refused:
        return {"result": "Refused", "problem": refused.document()}


def _judged(name: str, spec: EventSourceSpec, headers: Headers, body: bytes) -> JsonObject:
    content = content_of(spec, headers, body)
    match judge(name, spec, content):
        case NoRule():
            return {"result": "NoRule", "id": content.id}
        case Unfit() as found:
            raise unfit(found)
        case event:
            started = objects.section(event, "spec", "start")
            return {
                "result": "Start" if started else "Event",
                "rule": f"rules[{rule_for(spec, content)}]",
                "id": objects.section(event, "spec", "source")["id"],
                "event": event,
            }


def parse_headers(lines: Iterable[str]) -> Headers:
    """Headers as curl takes them. Raises CommandError."""
    pairs = []
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not name.strip():
            raise CommandError(f"--header {line!r}: expected NAME: VALUE", code=Exit.USAGE)
        pairs.append((name.strip(), value.strip()))
    return Headers(pairs)


def source_in(file: Path, name: str) -> Obj:
    """The EventSource of a file: the one with this name, or the only one if the name is "".

    Raises:
        CommandError: There is none, or there are several.
    """
    try:
        found: list[Any] = [one.value for one in documents(file.read_text("utf-8"))]
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise CommandError(f"{file}: {error}", code=Exit.USAGE) from error
    sources = [
        one
        for one in found
        if isinstance(one, dict)
        and one.get("kind") == "EventSource"
        and name in ("", objects.text(objects.section(one, "metadata"), "name"))
    ]
    if len(sources) != 1:
        what = f"EventSource {name}" if name else "EventSource"
        hint = "; choose one with --source" if len(sources) > 1 else ""
        text = f"{file}: expected one {what}, found {len(sources)}{hint}"
        raise CommandError(text, code=Exit.USAGE)
    return sources[0]


async def source_of(session: Session, name: str) -> Obj:
    """The EventSource of this name in the cluster. Raises CommandError."""
    try:
        return await session.cluster.get(Kind.EVENT_SOURCE, namespace=session.namespace, name=name)
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        text = f"no EventSource {name!r} in {session.namespace}"
        raise CommandError(text, code=Exit.NOT_FOUND) from error
