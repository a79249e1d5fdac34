"""`waypost cancel`: stop a run for good."""

from waypost.cli.commands.switches import switch

app = switch(
    "cancel",
    True,
    help="Stop everything of a run, for good. Results that are in stay.",
    said="is being stopped",
)
