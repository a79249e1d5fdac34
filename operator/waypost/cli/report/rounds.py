"""Prints what a round would do."""

import typer

from waypost.cli.connection.cluster import Session, Target, with_cluster
from waypost.cli.errors import Exit
from waypost.cli.reading.rounds import preview
from waypost.cli.report import format
from waypost.cli.report.output import emit, form_of
from waypost.cli.report.tables import show_table
from waypost.ports.cluster import Obj
from waypost.views.documents import RerunPreview, RoundCost, RoundMemory

_WORDS = {"keep": "kept", "run": "run", "skip": "skipped"}


def preview_round(target: Target, name: str, asked: Obj, edited: Obj | None, *, form: str) -> None:
    """Print what the next round would do.

    Args:
        target: Where the run is.
        name: The run.
        asked: `spec.rerun` without `round`.
        edited: A new spec; None keeps the present one.
        form: The output format.

    Raises:
        CommandError: The run does not exist or cannot be read.
        typer.Exit: The operator would reject the round.
    """
    chosen = form_of(form, named=False)

    async def work(session: Session) -> RerunPreview:
        return await preview(session, name, asked, edited)

    shown = with_cluster(target, work)
    if chosen.for_programs:
        emit(chosen, shown.to_json())
    else:
        _print(shown)
    if shown.problems:
        raise typer.Exit(Exit.FAILED)


def _print(shown: RerunPreview) -> None:
    if shown.problems:
        typer.echo(f"round {shown.round} of {shown.name} would be rejected:")
        for problem in shown.problems:
            typer.echo(f"  {format.tame(problem, limit=1000)}")
        return
    counts = dict.fromkeys(_WORDS, 0)
    for node in shown.nodes:
        counts[node.action] += 1
    listed = ", ".join(f"{count} {_WORDS[action]}" for action, count in counts.items())
    typer.echo(f"round {shown.round} of {shown.name} would begin: {listed}")
    if shown.after_cleanup:
        typer.echo("it begins after compensations and finally, whose ends may change it")
    if shown.memory is not None:
        typer.echo(memory_line(shown.memory))
    rows = [
        (node.action, node.path, node.kind, node.phase, node.effect, _why(node.message, node.stops))
        for node in shown.nodes
    ]
    show_table(("ACTION", "NODE", "KIND", "NOW", "EFFECT", "WHY"), rows)
    typer.echo(cost_line(shown.cost))
    typer.echo("nothing was changed; the same command without --dry-run begins the round")


def memory_line(memory: RoundMemory) -> str:
    """What the round reads of the memory."""
    read = f"{format.count(memory.episodes, 'episode')} and {format.count(memory.facts, 'fact')}"
    name = format.tame(memory.key, limit=80)
    if memory.refresh:
        return (
            f"the memory of {name} is read again when the round begins; the run has read {read} "
            "of it"
        )
    return (
        f"the memory of {name} stays as the run has read it: {read} "
        "(--refresh-memory reads it again)"
    )


def _why(message: str | None, stops: str | None) -> str:
    why = message or "it has not started"
    return f"{why}; stops {stops}" if stops else why


def cost_line(cost: RoundCost) -> str:
    """What the nodes that run will cost, as far as it is known."""
    facts = [
        format.count(cost.model_calls, "model call") if cost.model_calls else "",
        format.count(cost.total_tokens, "token") if cost.total_tokens else "",
        format.cost(cost.cost_usd, estimated=bool(cost.estimated)),
    ]
    known = format.joined(facts)
    text = f"cost to come, as the last time: {known}" if known else "cost to come: none known"
    return f"{text}; not known for {', '.join(cost.unknown)}" if cost.unknown else text
