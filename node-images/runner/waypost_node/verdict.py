"""The one record of an attempt: written once, in place, durable before the exit code says so."""

import os
import threading

from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, TooLarge, encode
from waypost.protocol.request import Request

OUTPUT_FILE = "/dev/termination-log"


class Verdict:
    """Takes the first outcome; later ones are ignored, from whatever thread they come."""

    def __init__(self, request: Request) -> None:
        self._path = os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE)
        self._lock = threading.Lock()
        self._written = False
        self._attempt = Attempt(
            run_uid=request.run_uid,
            path=request.path,
            round=request.round,
            attempt=request.attempt,
            pod_uid=os.environ.get("WAYPOST_POD_UID", ""),
        )

    def succeed(self, output: Json) -> None:
        """Record the output. Raises TooLarge when it does not fit a record."""
        self._write(CommitRecord(self._attempt, "Succeeded", output))

    def fail(self, reason: Reason, message: str, tail: str = "") -> None:
        """Record why there is no output."""
        record = CommitRecord(self._attempt, "Failed", None, str(reason), message, tail or None)
        self._write(record)

    def _write(self, record: CommitRecord) -> None:
        data = encode(record)
        with self._lock:
            if self._written:
                return
            self._written = True
            # In place: the file is a bind mount, a rename onto it fails with EBUSY.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


__all__ = ["TooLarge", "Verdict"]
