"""Puts a report into its page, which is built with the web interface: one file with its data."""

import json
from pathlib import Path
from typing import Final

import waypost
from waypost.cli.errors import CommandError, Exit
from waypost.views.documents import RunReport

# Made by `make ui`, beside the pages of the server.
TEMPLATE: Final = Path(waypost.__file__).parent / "ui/static/report.html"
_PLACE: Final = '<script type="application/json" id="report"></script>'
_MISSING: Final = (
    "the page of reports is not part of this installation: in a clone of the repository run "
    "`make ui` and install again (it needs no Node.js), or use the image of the operator"
)


def page(report: RunReport) -> str:
    """An HTML document that needs no server. Its element `report` has the document.

    Raises:
        CommandError: The front-end is not built.
    """
    try:
        before, place, after = TEMPLATE.read_text(encoding="utf-8").partition(_PLACE)
    except FileNotFoundError as error:
        raise CommandError(_MISSING, code=Exit.FAILED) from error
    if not place:
        raise CommandError(f"{TEMPLATE} is of another version; {_MISSING}", code=Exit.FAILED)
    # A data block is never executed, and no text in it can end it.
    content = json.dumps(report.to_json(), ensure_ascii=True).replace("<", "\\u003c")
    opening, closing = _PLACE.split("><")
    return f"{before}{opening}>{content}<{closing}{after}"
