"""Where the request document is, and reading it."""

import json
import os
from pathlib import Path

from waypost.protocol.request import Request, from_json

REQUEST_FILE = "/waypost/in/request.json"


def load() -> Request:
    """The request of this pod. Raises OSError or ValueError when there is none to be read."""
    path = Path(os.environ.get("WAYPOST_REQUEST", REQUEST_FILE))
    return from_json(json.loads(path.read_bytes()))
