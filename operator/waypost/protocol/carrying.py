"""The sidecar that carries the output of a foreign image out of its pod: what the operator puts
into the pod, and what the sidecar's program expects
(docs/adr/0009-big-outputs-of-foreign-images.md)."""

from typing import Final

CONTAINER: Final = "carry"
MOUNT: Final = "/waypost/out"
OUTPUT_FILE: Final = f"{MOUNT}/output"
# Above what any program of the pod may leave in the shared folder, the pod is evicted.
FOLDER_LIMIT: Final = "128Mi"
LARGEST: Final = 32 * 1024 * 1024  # bytes of the output file
# A shell waits, for it needs next to nothing. Its trap is set a moment after its start, long before
# another container can have run and ended.
COMMAND: Final = (
    "/bin/sh",
    "-c",
    "trap 'exec python3 -m waypost_node.output_sidecar' TERM; sleep infinity & wait",
)
