"""`waypost resume`: let a run go on."""

from waypost.cli.commands.switches import switch

app = switch(
    "suspend",
    False,
    help="Let a run that is held go on.",
    said="goes on",
)
