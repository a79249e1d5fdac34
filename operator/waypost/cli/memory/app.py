"""The group of commands `waypost memory`."""

import typer

from waypost.cli.memory import command_forget, command_list, command_review, command_transfer

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def memory() -> None:
    """Show, review and forget what runs remember."""


app.command("list")(command_list.list_entries)
app.command("show")(command_list.show)
app.command("review")(command_review.review)
app.command("forget")(command_forget.forget)
app.command("export")(command_transfer.export)
app.command("import")(command_transfer.import_)
