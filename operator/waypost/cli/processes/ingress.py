"""`waypost ingress`: the service for webhooks, as its Deployment starts it."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def ingress() -> None:
    """Run the ingress for webhooks until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.ingress.settings import load_ingress_settings

    settings = read_settings(load_ingress_settings)
    from waypost.ingress import main

    raise typer.Exit(main.run(settings))
