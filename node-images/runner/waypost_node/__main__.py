"""The entry point of the runner: reads the request, runs the node, writes the commit record.

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
STORAGE_VARIABLE = "WAYPOST_STORAGE_BYTES"
LARGEST_FILE = 256 * 1024 * 1024  # bytes, for a pod without a storage limit


def main() -> int:
    """Run the node of this pod.

    Returns:
        The exit code: 0 after a Succeeded record, 2 if the request cannot be read.
    """
    try:
        request = load()
    except (OSError, ValueError) as error:
        print(f"waypost: cannot read the request: {error}", file=sys.stderr)
        return 2
    _limit_file_size()
    attempt = attempt_of(request)
    timeout = request.timeout_seconds
    deadline = None if timeout is None else time.monotonic() + timeout
    return supervise(
        lambda over: perform(request, attempt, deadline=deadline, work_is_over=over),
        attempt=attempt,
        output=os.environ.get("WAYPOST_OUTPUT", OUTPUT_FILE),
        timeout=timeout,
        # An agent ends by itself, so that its record reports what its model calls cost.
        ends_itself=request.kind == "agent",
    )


def _limit_file_size() -> None:
    """No file may be larger than the pod's storage limit (B4).

    The kubelet counts /tmp against that limit, but not the termination file.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = int(os.environ.get(STORAGE_VARIABLE, LARGEST_FILE))
    most = limit if hard == resource.RLIM_INFINITY else min(hard, limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
