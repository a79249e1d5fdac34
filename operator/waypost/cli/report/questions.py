"""Prints a question with everything that a person needs to decide."""

import json

import typer

from waypost.cli.report import format
from waypost.cli.report.tables import show_table
from waypost.views.documents import Question

_LINES = 200


def show_question(asked: Question) -> None:
    """Print the question, its context, who may answer, and what can run after a yes."""
    typer.echo(f"{asked.name}  {asked.state}  asked by node {asked.path} of run {asked.run}")
    typer.echo("")
    for line in asked.message.splitlines()[:_LINES]:
        typer.echo(f"  {format.tame(line, limit=2000)}")
    if asked.context:
        typer.echo("")
        for line in json.dumps(asked.context, indent=2, ensure_ascii=False).splitlines()[:_LINES]:
            typer.echo(f"  {' ' * (len(line) - len(line.lstrip()))}{format.tame(line, limit=2000)}")
    _show_attachments(asked)
    typer.echo("")
    _show_people(asked)
    typer.echo(f"digest       {asked.digest}")
    typer.echo("")
    if asked.subject == "toolCall":
        typer.echo("after a yes the call is made once, with these arguments or with --arguments;")
        typer.echo("after a no the model reads the --reason, and continues without the call")
    elif asked.note:
        typer.echo(f"what runs after a yes is not known: {format.tame(asked.note)}")
    elif not asked.then:
        typer.echo("after a yes no other node runs")
    else:
        typer.echo("after a yes these nodes can run:")
        rows = [(one.path, one.kind, one.effect, one.destination or "-") for one in asked.then]
        show_table(("NODE", "KIND", "EFFECT", "DESTINATION"), rows)
    typer.echo("")


def _show_people(asked: Question) -> None:
    """Print who may answer, until when, and who has."""
    required = f", {asked.required} of them" if asked.required > 1 else ""
    typer.echo(f"may answer   {format.tame(', '.join(asked.approvers))}{required}")
    if asked.requesters:
        typer.echo(f"may not      {format.tame(', '.join(asked.requesters))} (asked for it)")
    if asked.level:
        typer.echo(f"level        {asked.level} of escalation: others did not answer in time")
    if asked.escalated_to:
        typer.echo(f"escalated    to {asked.escalated_to}")
    if asked.votes:
        typer.echo(f"votes        {asked.votes}")
    if asked.expires_at:
        typer.echo(f"until        {asked.expires_at}")
    if asked.decided_by:
        why = f": {format.tame(asked.reason)}" if asked.reason else ""
        typer.echo(f"decided by   {format.tame(asked.decided_by)} at {asked.decided_at}{why}")
    if asked.identity_note:
        verified = "verified" if asked.identity_verified else "not verified"
        typer.echo(f"identity     {verified}: {format.tame(asked.identity_note)}")


def _show_attachments(asked: Question) -> None:
    if not asked.attachments:
        return
    typer.echo("")
    typer.echo("attached; waypost download RECORD writes one to a file:")
    rows = [
        (format.tame(one.name, limit=80), str(one.bytes), str(one.files), one.digest, one.record)
        for one in asked.attachments
    ]
    show_table(("ARTIFACT", "BYTES", "FILES", "DIGEST", "RECORD"), rows)
