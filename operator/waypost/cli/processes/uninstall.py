"""`waypost uninstall`: cleanup after the operator has been removed."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def uninstall() -> None:
    """Release pods and child runs that wait for the operator.

    Removes the finalizers waypost.dev/result and waypost.dev/child in all served namespaces. Use it
    after the operator is removed: results that were not recorded are lost. Safe to repeat.
    """
    from waypost.settings import load_cleanup_settings

    settings = read_settings(load_cleanup_settings)
    from waypost import main

    raise typer.Exit(main.uninstall(settings))
