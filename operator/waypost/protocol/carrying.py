"""The output sidecar: it uploads the output file of a container node whose image is not ours.

The operator puts these values into the pod, and the sidecar's program uses them
(docs/adr/0009-big-outputs-of-foreign-images.md).
"""

from typing import Final

CONTAINER: Final = "carry"
MOUNT: Final = "/waypost/out"
OUTPUT_FILE: Final = f"{MOUNT}/output"
# The kubelet evicts a pod whose shared folder exceeds this.
FOLDER_LIMIT: Final = "128Mi"
# Where the sidecar has the Secrets of the program whose values must not be in an output that is
# remembered. Under these names they mean nothing to Python: it has the token of the pod.
SECRET_VARIABLE: Final = "WAYPOST_SECRET_"  # with the name of the variable
SECRET_FOLDERS: Final = "/waypost/secrets"  # with the number of the folder
LARGEST: Final = 32 * 1024 * 1024  # bytes of the output file
# A shell waits, because it needs less memory than Python. It sets its trap right after its start,
# before any other container can have ended.
COMMAND: Final = (
    "/bin/sh",
    "-c",
    "trap 'exec python3 -m waypost_node.output_sidecar' TERM; sleep infinity & wait",
)
