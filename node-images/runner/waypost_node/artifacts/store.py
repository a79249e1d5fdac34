"""Stores what a node has made, before its result: a commit record names only what is durable."""

from typing import Final

from waypost.protocol.artifacts.limits import MOUNT
from waypost.protocol.artifacts.request import Content
from waypost.protocol.reasons import Reason
from waypost.protocol.record import CommitRecord
from waypost.protocol.request import Request

from waypost_node.result_store import Unkept

_SPARE: Final = 2.0  # seconds reserved for the result


def keep_artifacts(
    record: CommitRecord, request: Request, *, deadline: float, mounted: bool = False
) -> CommitRecord:
    """Store the artifacts of a Succeeded record.

    Args:
        record: The record.
        request: The request of this pod.
        deadline: The time.monotonic() at which the attempt ends.
        mounted: Whether the folders are those of a sidecar, and not those of the node's container.

    Returns:
        The record with what was stored; the same one if the node makes nothing.

    Raises:
        Unkept: One of them could not be stored.
    """
    if request.artifacts is None or not request.artifacts.given:
        return record
    # Imported when needed: an HTTP client doubles the start time of a node.
    from waypost_node.artifacts.entries import TooLargeFolder, Unfit
    from waypost_node.artifacts.transfer import Transfers
    from waypost_node.gateway import GatewayError, TooLarge

    transfers = Transfers(request.gateway or "", deadline=deadline - _SPARE)
    stored: dict[str, Content] = {}
    for given in request.artifacts.given:
        folder = f"{MOUNT}/{given.volume}" if mounted else given.path
        try:
            stored[given.name] = transfers.store(given, folder)
        except TooLargeFolder as error:
            text = f"artifact {given.name} ({given.path}): {error}"
            raise Unkept(Reason.ARTIFACT_TOO_LARGE, text) from None
        except Unfit as error:
            text = f"artifact {given.name} ({given.path}): {error}"
            raise Unkept(Reason.ARTIFACT_INVALID, text) from None
        except OSError as error:
            text = f"artifact {given.name} ({given.path}) cannot be read: {error.strerror or error}"
            raise Unkept(Reason.ARTIFACT_INVALID, text) from None
        except TooLarge as error:
            raise Unkept(Reason.ARTIFACT_TOO_LARGE, str(error)) from None
        except GatewayError as error:
            text = f"artifact {given.name} could not be stored: {error}"
            raise Unkept(Reason.RESULT_LOST, text) from None
    return record._replace(artifacts=stored)
