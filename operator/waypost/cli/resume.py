"""`waypost resume`: let a run go on."""

from waypost.cli.switch import switch

app = switch(
    "suspend",
    False,
    help="Let a run that is held go on.",
    said="goes on",
)
