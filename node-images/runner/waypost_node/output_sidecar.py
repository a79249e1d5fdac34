"""Beside a foreign image: carries its output out of the pod once the image's program is over.

Runs in a native sidecar (an init container that is always restarted): the kubelet sends it SIGTERM
when the program has ended, and waits. Until then a shell waits there, which needs next to nothing;
it starts this program, which reads the file that both share, keeps what is in it in a commit
record or at the gateway, and leaves the record as the sidecar's termination message. Whether the
program succeeded is not for it to say: that is the program's exit code
(docs/adr/0009-big-outputs-of-foreign-images.md).
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

from waypost.protocol import ijson, schema
from waypost.protocol.carrying import LARGEST, OUTPUT_FILE
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.request import Request

from waypost_node import result_store
from waypost_node.request import attempt_of, load
from waypost_node.supervisor import write

RECORD_FILE: Final = "/dev/termination-log"
PATIENCE: Final = 25.0  # seconds, of the 30 that the kubelet gives
_SHOWN: Final = 80


class _Unfit(Exception):
    """What stands in the output file cannot be the node's output, for `reason`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def main() -> int:
    """Carry the output of the pod; gives the exit code."""
    try:
        request = load()
    except (OSError, ValueError) as error:
        print(f"waypost: the request cannot be read: {error}", file=sys.stderr)
        return 2
    carry(
        request,
        attempt_of(request),
        source=os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE),
        record_file=os.environ.get("WAYPOST_RECORD", RECORD_FILE),
    )
    return 0


def carry(request: Request, attempt: Attempt, *, source: str, record_file: str) -> None:
    """Keep what stands in the file `source`, and write the record of it."""
    deadline = time.monotonic() + PATIENCE
    try:
        output = _output(Path(source), request.output_schema)
        record = result_store.keep_output(
            CommitRecord(attempt, "Succeeded", output), gateway=request.gateway, deadline=deadline
        )
    except (_Unfit, result_store.Unkept) as error:
        record = CommitRecord(attempt, "Failed", reason=error.reason, message=str(error))
    write(record_file, encode(record))


def _output(path: Path, output_schema: Json | None) -> Json:
    """The value in the file: JSON, nothing is null, and text where the schema takes a string."""
    content = _content(path)
    if not content.strip():
        return _checked(None, output_schema)
    try:
        return _checked(ijson.parse(content), output_schema)
    except ijson.NotJsonError as error:
        text = content.decode("utf-8", "replace")
        fits = output_schema is None or not schema.validate(output_schema, text)
        # Text that is cut or not UTF-8 is nobody's string.
        if fits and text.encode() == content:
            return text
        raise _Unfit(Reason.OUTPUT_INVALID, f"{error}; found {text[:_SHOWN]!r}") from None
    except ijson.IJsonError as error:
        raise _Unfit(Reason.OUTPUT_INVALID, str(error)) from None


def _content(path: Path) -> bytes:
    # A link would lead to a file of this container, and no other kind of file is an output.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _Unfit(Reason.OUTPUT_INVALID, f"{path.name}: expected a file, found a link or device")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        text = f"the output file cannot be read: {error.strerror}; write it readable for its group"
        raise _Unfit(Reason.OUTPUT_INVALID, text) from None
    if len(content) > LARGEST:
        raise _Unfit(Reason.OUTPUT_TOO_LARGE, f"the output file has more than {LARGEST} bytes")
    return content


def _checked(output: Json, output_schema: Json | None) -> Json:
    violations = () if output_schema is None else schema.validate(output_schema, output)
    if violations:
        raise _Unfit(Reason.OUTPUT_INVALID, "; ".join(map(str, violations)))
    return output


if __name__ == "__main__":
    sys.exit(main())
