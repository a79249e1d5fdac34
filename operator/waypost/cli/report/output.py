"""Output formats that programs read: json, yaml, name and jsonpath, as in kubectl."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import typer
import yaml

from waypost.cli.errors import CommandError, Exit
from waypost.cli.report.format import write
from waypost.cli.report.jsonpath import evaluate

_FOR_PROGRAMS: Final = ("json", "yaml", "name", "jsonpath=TEMPLATE")
RESOURCES: Final = {
    "run": "agentworkflow.waypost.dev",
    "schedule": "agentworkflowschedule.waypost.dev",
    "approval": "approval.waypost.dev",
    "event": "workflowevent.waypost.dev",
    "memory": "memoryentry.waypost.dev",
}


@dataclass(frozen=True)
class Form:
    """A chosen format: `kind` is text, json, yaml, name, jsonpath, or one of the command's own."""

    kind: str
    template: str = ""

    @property
    def for_programs(self) -> bool:
        """Whether `emit` prints it."""
        return self.kind in ("json", "yaml", "name", "jsonpath")


def form_of(text: str, *, own: Iterable[str] = ("text",), named: bool = True) -> Form:
    """The format that `--output` names.

    Args:
        text: The value of the option.
        own: Formats that only this command has.
        named: Whether `name` makes sense.

    Raises:
        CommandError: There is no such format.
    """
    kind, _, template = text.partition("=")
    known = [*own, *(one for one in _FOR_PROGRAMS if named or one != "name")]
    if kind == "jsonpath" and template:
        return Form(kind, template)
    if text in known:
        return Form(text)
    message = f"--output {text}: expected one of {', '.join(known)}"
    raise CommandError(message, code=Exit.USAGE)


def emit(form: Form, document: Any, *, names: Iterable[str] = ()) -> None:
    """Print a document for programs; `names` are those of `-o name`."""
    if form.kind == "json":
        write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif form.kind == "yaml":
        write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    elif form.kind == "jsonpath":
        write(evaluate(form.template, document))
    else:
        for name in names:
            typer.echo(name)
