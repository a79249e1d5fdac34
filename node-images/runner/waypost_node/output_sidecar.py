"""Stores the output of a foreign image after its program has ended.

Runs in a native sidecar (an init container that is always restarted). A shell waits there, which
needs little memory. When the program has ended, the kubelet sends SIGTERM to the sidecar and waits;
the shell then starts this module. It reads the shared output file, stores the output in a commit
record or at the gateway, and writes the record as the sidecar's termination message. Whether the
program succeeded is decided by the program's exit code, not here
(docs/adr/0009-big-outputs-of-foreign-images.md).
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

from waypost.protocol import ijson, schema
from waypost.protocol.artifacts.limits import STORE_SECONDS
from waypost.protocol.carrying import LARGEST, OUTPUT_FILE, SECRET_FOLDERS, SECRET_VARIABLE
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.request import Request

from waypost_node import result_store
from waypost_node.artifacts.store import keep_artifacts
from waypost_node.redaction import secret_in_output
from waypost_node.request import attempt_of, load
from waypost_node.supervisor import write

RECORD_FILE: Final = "/dev/termination-log"
PATIENCE: Final = 25.0  # seconds, of the pod's grace period of 30
_SHOWN: Final = 80


class _Unfit(Exception):
    """The output file cannot be used; `reason` says why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def main() -> int:
    """Store the output of this pod; returns the exit code, 2 if the request cannot be read."""
    try:
        request = load()
    except (OSError, ValueError) as error:
        print(f"waypost: cannot read the request: {error}", file=sys.stderr)
        return 2
    carry(
        request,
        attempt_of(request),
        source=os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE),
        record_file=os.environ.get("WAYPOST_RECORD", RECORD_FILE),
    )
    return 0


def carry(
    request: Request,
    attempt: Attempt,
    *,
    source: str,
    record_file: str,
    secrets: str = SECRET_FOLDERS,
) -> None:
    """Store the output in a file, and write a record of it. Never raises for a bad output.

    Args:
        request: the request of this pod.
        attempt: the attempt whose record this is.
        source: path of the output file; a missing or empty file is null.
        record_file: path of the sidecar's termination message.
        secrets: path below which this container has the folders with Secrets of the program.

    Raises:
        OSError: the record cannot be written.
    """
    makes = request.artifacts is not None and bool(request.artifacts.given)
    deadline = time.monotonic() + PATIENCE + (STORE_SECONDS if makes else 0.0)
    try:
        output = _output(Path(source), request.output_schema)
        _keep_secrets(request, output, secrets)
        record = keep_artifacts(
            CommitRecord(attempt, "Succeeded", output), request, deadline=deadline, mounted=True
        )
        record = result_store.keep_output(record, gateway=request.gateway, deadline=deadline)
    except (_Unfit, result_store.Unkept) as error:
        record = CommitRecord(attempt, "Failed", reason=error.reason, message=str(error))
    write(record_file, encode(record))


def _keep_secrets(request: Request, output: Json, folders: str) -> None:
    """Refuse an output with the value of a Secret, if the run remembers it (S750)."""
    problem = secret_in_output(request, output, variable=SECRET_VARIABLE, folders=folders)
    if problem is not None:
        raise _Unfit(Reason.OUTPUT_INVALID, problem)


def _output(path: Path, output_schema: Json | None) -> Json:
    """The value in the file: JSON; an empty file is null; other text is a string if allowed."""
    content = _content(path)
    if not content.strip():
        return _checked(None, output_schema)
    text = content.decode("utf-8", "replace")
    whole = text.encode() == content  # text that is not UTF-8 is not a string
    try:
        return _checked(ijson.parse(content), output_schema)
    except ijson.NotJsonError as error:
        fits = output_schema is None or not schema.validate(output_schema, text)
        if fits and whole:
            return text
        raise _Unfit(Reason.OUTPUT_INVALID, f"{error}; found {text[:_SHOWN]!r}") from None
    except (ijson.IJsonError, _Unfit) as error:
        if whole and schema.takes_as_text(output_schema, text):
            return text
        raise _Unfit(Reason.OUTPUT_INVALID, str(error)) from None


def _content(path: Path) -> bytes:
    # A link could lead to a file of this container.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _Unfit(
            Reason.OUTPUT_INVALID, f"{path.name}: expected a regular file, found a link or device"
        )
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        text = f"cannot read the output file: {error.strerror}; make it readable for its group"
        raise _Unfit(Reason.OUTPUT_INVALID, text) from None
    if len(content) > LARGEST:
        text = f"the output file has more than {LARGEST} bytes, the limit of container.largeOutput"
        raise _Unfit(
            Reason.OUTPUT_TOO_LARGE, f"{text}; store the data elsewhere and output a reference"
        )
    return content


def _checked(output: Json, output_schema: Json | None) -> Json:
    violations = () if output_schema is None else schema.validate(output_schema, output)
    if violations:
        raise _Unfit(Reason.OUTPUT_INVALID, "; ".join(map(str, violations)))
    return output


if __name__ == "__main__":
    sys.exit(main())
