"""`waypost suspend`: hold a run."""

from waypost.cli.commands.switches import switch

app = switch(
    "suspend",
    True,
    help="Hold a run: what runs finishes, nothing starts.",
    said="is held; waypost resume {run} lets it go on",
)
