"""`waypost operator`: the operator, as its image starts it."""

import typer

from waypost.cli.connection.operator import start

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def operator() -> None:
    """Run the operator until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    start()
