"""Starts the operator in this process: `waypost operator`, and `waypost run` for one release."""

import typer

from waypost.cli.errors import CommandError, Exit


def start() -> None:
    """Run the operator.

    Raises:
        CommandError: A setting is missing or invalid.
        typer.Exit: It has ended.
    """
    # Settings first: a wrong one is reported before the slow imports.
    from waypost.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        raise CommandError(str(error), code=Exit.USAGE) from error
    from waypost import main

    raise typer.Exit(main.run(settings))
