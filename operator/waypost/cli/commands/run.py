"""`waypost run`: the operator itself, as its image starts it."""

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def run() -> None:
    """Run the operator until SIGTERM.

    Settings come from WAYPOST_* variables.
    """
    # First the settings: a wrong one is told at once, before the large imports.
    from waypost.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        raise CommandError(str(error), code=Exit.USAGE) from error
    from waypost import main

    raise typer.Exit(main.run(settings))
