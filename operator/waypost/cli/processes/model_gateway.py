"""`waypost model-gateway`: the gateway for model calls, as its Deployment starts it."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def model_gateway() -> None:
    """Run the model gateway until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.model_gateway.settings import load_model_gateway_settings

    settings = read_settings(load_model_gateway_settings)
    from waypost.model_gateway import main

    raise typer.Exit(main.run(settings))
