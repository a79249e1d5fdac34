"""Reads the request document, and the inputs that did not fit into it."""

import json
import os
import time

from waypost.protocol.ijson import Json
from waypost.protocol.record import Attempt
from waypost.protocol.request import Request, from_json

REQUEST_FILE = "/waypost/in/request.json"
PATIENCE = 60.0  # seconds to wait for stored inputs without a deadline

_fetched: dict[str, Json] = {}


def load() -> Request:
    """Read the request of this pod.

    Raises:
        OSError, ValueError: the file is missing or malformed.
    """
    place = os.environ.get("WAYPOST_REQUEST", REQUEST_FILE)
    with open(place, "rb") as file:  # noqa: PTH123 - the import of pathlib delays the user's code
        return from_json(json.load(file))


def attempt_of(request: Request) -> Attempt:
    """The attempt whose record this pod writes."""
    return Attempt(
        run_uid=request.run_uid,
        path=request.path,
        round=request.round,
        attempt=request.attempt,
        pod_uid=os.environ.get("WAYPOST_POD_UID", ""),
    )


def complete(request: Request, *, deadline: float | None = None) -> Request:
    """The request with its inputs; reads them from the gateway if they are stored there.

    Args:
        request: the request as loaded.
        deadline: a time.monotonic(); default: PATIENCE seconds from now.

    Raises:
        waypost_node.gateway.GatewayError: the inputs could not be read in time.
    """
    digest = request.stored_inputs
    if digest is None:
        return request
    if digest not in _fetched:
        from waypost_node.gateway import Gateway, GatewayError

        until = time.monotonic() + PATIENCE if deadline is None else deadline
        if request.gateway is None:
            raise GatewayError("the inputs are stored, but the request names no gateway")
        found = Gateway(request.gateway, deadline=until).get("input", digest=digest)
        if not isinstance(found, dict):
            raise GatewayError(f"the stored inputs {digest} are not an object")
        _fetched[digest] = found
    return request._replace(inputs=_fetched[digest])
