"""`waypost cancel`: stop a run for good."""

from waypost.cli.switch import switch

app = switch(
    "cancel",
    True,
    help="Stop everything of a run, for good. Results that are in stay.",
    said="is being stopped",
)
