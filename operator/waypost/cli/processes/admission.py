"""`waypost admission`: the webhook that fills in names, as its Deployment starts it."""

import typer

from waypost.cli.settings import read_settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def admission() -> None:
    """Run the admission webhook until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.admission.settings import load_admission_settings

    settings = read_settings(load_admission_settings)
    from waypost.admission import main

    raise typer.Exit(main.run(settings))
