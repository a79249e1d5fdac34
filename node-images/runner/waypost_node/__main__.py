"""The runner of a node's pod: reads the request, runs it, leaves the commit record.

Exit code 0 means that a Succeeded record is durable, unless the program itself ended the process.
"""

import os
import resource
import sys
import time

from waypost_node.execute import perform
from waypost_node.request import attempt_of, load
from waypost_node.supervisor import supervise

OUTPUT_FILE = "/dev/termination-log"
# The termination file is not counted against the pod's storage limit (B4): one file
# may not be larger than the scratch volume at /tmp.
LARGEST_FILE = 256 * 1024 * 1024


def main() -> int:
    """Run the node; gives the exit code."""
    try:
        request = load()
    except (OSError, ValueError) as error:
        print(f"waypost: the request cannot be read: {error}", file=sys.stderr)
        return 2
    _limit_files()
    attempt = attempt_of(request)
    timeout = request.timeout_seconds
    deadline = None if timeout is None else time.monotonic() + timeout
    return supervise(
        lambda over: perform(request, attempt, deadline=deadline, work_is_over=over),
        attempt=attempt,
        output=os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE),
        timeout=timeout,
        # What its model calls cost must not be lost.
        ends_itself=request.kind == "agent",
    )


def _limit_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    most = LARGEST_FILE if hard == resource.RLIM_INFINITY else min(hard, LARGEST_FILE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
