"""`waypost uninstall`: what has to be done once the operator is gone."""

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def uninstall() -> None:
    """Release all pods that wait for an operator.

    Takes the finalizer waypost.dev/result off, in every namespace served. For use after the
    operator is gone; results not yet recorded are given up. May be repeated.
    """
    from waypost.settings import SettingsError, load_cluster_settings

    try:
        settings = load_cluster_settings()
    except SettingsError as error:
        raise CommandError(str(error), code=Exit.USAGE) from error
    from waypost import main

    raise typer.Exit(main.uninstall(settings))
