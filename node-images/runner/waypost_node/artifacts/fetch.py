"""The program of the init container: unpacks what the node takes into its volumes.

It ends with exit code 1 and a message if that fails; the pod then never starts the node, and the
operator tries again.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

from waypost.protocol.artifacts.limits import MOUNT
from waypost.protocol.artifacts.request import Artifacts

from waypost_node.artifacts.entries import Unfit
from waypost_node.artifacts.transfer import Transfers
from waypost_node.gateway import GatewayError
from waypost_node.request import load

MESSAGE_FILE: Final = "/dev/termination-log"
# queueTimeout of the node ends the pod earlier if it is shorter.
PATIENCE: Final = 3600.0


def main() -> int:
    """Unpack all artifacts; returns the exit code."""
    mount = os.environ.get("WAYPOST_ARTIFACTS", MOUNT)
    try:
        request = load()
        artifacts = request.artifacts or Artifacts()
        transfers = Transfers(request.gateway or "", deadline=time.monotonic() + PATIENCE)
        for number, taken in enumerate(artifacts.taken):
            folder = Path(mount, taken.volume, taken.folder)
            transfers.take(number, taken, str(folder))
            print(f"artifact {number}: {taken.content.files} files, {taken.content.digest}")
    except (OSError, ValueError, Unfit, GatewayError) as error:
        text = f"artifacts cannot be unpacked: {error}"
        print(text, file=sys.stderr)
        _say(text)
        return 1
    return 0


def _say(text: str) -> None:
    """Write the message that the operator shows."""
    path = Path(os.environ.get("WAYPOST_MESSAGE", MESSAGE_FILE))
    with path.open("wb") as file:  # in place: it is a bind mount
        file.write(text.encode()[:2048])


if __name__ == "__main__":
    sys.exit(main())
