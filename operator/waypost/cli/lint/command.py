"""`waypost lint`: check manifests without a cluster."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_STDIN: Final = "-"
_SUFFIXES: Final = (".yaml", ".yml", ".json")


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@app.command()
def lint(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="YAML or JSON files, directories, or - for stdin."),
    ],
    output: Annotated[Format, typer.Option("--output", "-o", help="Output format.")] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
) -> None:
    """Check manifests as a cluster does, without one.

    Exit code 0: clean. 1: problems. 2: a file cannot be read, or has no object of Waypost.
    """
    from waypost.api import meta
    from waypost.cli.lint import linter, manifests, templates
    from waypost.cli.lint import output as printing
    from waypost.cli.report.format import write

    found: list[tuple[str, manifests.Document]] = []
    others: list[str] = []
    unreadable: list[str] = []
    for name, text in _texts(files):
        try:
            for document in manifests.documents(text):
                if linter.is_ours(document.value):
                    found.append((name, document))
                else:
                    others.append(linter.shown(document.value))
        except manifests.Unreadable as error:
            unreadable.append(f"{name}:{error}")
    objects = len(found)
    known = templates.Templates(document.value for _, document in found)
    findings = [each for name, one in found for each in linter.lint(name, one, known)]
    printed = {
        Format.TEXT: printing.as_text,
        Format.JSON: printing.as_json,
        Format.SARIF: printing.as_sarif,
    }[output]
    write(f"{printed(findings, objects=objects)}\n")
    if unreadable:
        raise CommandError("\n".join(unreadable), code=Exit.USAGE)
    if not objects:
        seen = ", ".join(others[:5]) or "nothing"
        text = (
            f"no object of Waypost in {', '.join(files)}: found {seen}; "
            f"expected apiVersion: {meta.API_VERSION} and a kind such as AgentWorkflow"
        )
        raise CommandError(text, code=Exit.USAGE)
    bad = len(findings) if strict else printing.errors_in(findings)
    raise typer.Exit(Exit.FAILED if bad else Exit.OK)


def _texts(files: list[str]) -> Iterator[tuple[str, str]]:
    """Name and text of every file meant. Raises CommandError for one that cannot be read."""
    for given in files:
        if given == _STDIN:
            yield "<stdin>", sys.stdin.read()
            continue
        path = Path(given)
        found = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES) if path.is_dir() else []
        for file in found or [path]:
            try:
                yield str(file), file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                text = f"{file}: cannot be read: {error}"
                raise CommandError(text, code=Exit.USAGE) from error
