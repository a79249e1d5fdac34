"""`waypost gateway`: the payload service, as its Deployment starts it."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def gateway() -> None:
    """Run the payload gateway until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.gateway.settings import load_gateway_settings

    settings = read_settings(load_gateway_settings)
    from waypost.gateway import main

    raise typer.Exit(main.run(settings))
