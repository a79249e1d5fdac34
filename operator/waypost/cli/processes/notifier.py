"""`waypost notifier`: the service that sends messages to webhooks, as its Deployment starts it."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def notifier() -> None:
    """Send messages about runs to webhooks until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.notifier.settings import load_notifier_settings

    settings = read_settings(load_notifier_settings)
    from waypost.notifier import main

    raise typer.Exit(main.run(settings))
