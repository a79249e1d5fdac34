"""`waypost run`: the operator, as its image starts it."""

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def run() -> None:
    """Run the operator until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    # Settings first: a wrong one is reported before the slow imports.
    from waypost.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        raise CommandError(str(error), code=Exit.USAGE) from error
    from waypost import main

    raise typer.Exit(main.run(settings))
