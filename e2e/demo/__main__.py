"""`make demo`. Needs Python alone; CLUSTER chooses the cluster, YES=1 asks nothing."""

from __future__ import annotations

import signal
import sys

from e2e.cluster.errors import ClusterError
from e2e.demo.screen import Screen
from e2e.demo.story import NAMESPACE, Story, is_automatic

INTERRUPTED = 130


def main() -> int:
    """Tell the story; 0 when it went well, 1 with an explanation when not."""
    # What ends a demo early unwinds it, from any sender: a terminal, make, a time-out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen()
    story = Story(screen=screen, automatic=is_automatic())
    try:
        story.tell()
    except ClusterError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if story.name:
            run = f"agentworkflow/{story.name} in namespace {NAMESPACE}"
            print(f"{run} continues without the demo", file=sys.stderr)
        print("make demo starts another one, make clean removes the cluster", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
