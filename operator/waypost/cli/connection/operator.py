"""Starts the operator in this process: `waypost operator`, and `waypost run` for one release."""

import typer

from waypost.cli.settings import read_settings


def start() -> None:
    """Run the operator.

    Raises:
        CommandError: A setting is missing or invalid.
        typer.Exit: It has ended.
    """
    # Settings first: a wrong one is reported before the slow imports.
    from waypost.settings import load_settings

    settings = read_settings(load_settings)
    from waypost import main

    raise typer.Exit(main.run(settings))
