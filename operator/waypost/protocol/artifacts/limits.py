"""Names and limits of artifacts that operator, gateway and pods share."""

from typing import Final

FETCHER: Final = "fetch"  # the init container that unpacks what the node takes
FETCH_COMMAND: Final = ("python3", "-m", "waypost_node.artifacts.fetch")
# Where an agent finds its attachments: below it the folder of each, which its volume is named by.
ATTACHMENTS: Final = "/waypost/attachments"
ATTACHMENT_VOLUME: Final = "attachment-"
MOUNT: Final = "/waypost/artifacts"  # where the fetcher and the sidecar mount all volumes
BYTES_HEADER: Final = "Waypost-Bytes"
FILES_HEADER: Final = "Waypost-Files"
ROOM_HEADER: Final = "Waypost-Room"  # maximum compressed bytes, without an object store
CONTENT_TYPE: Final = "application/gzip"

# Of all attachments of an attempt together, as tars. A call has them as base64, and the model
# gateway takes bodies of 32 MiB.
ATTACHMENT_BYTES: Final = 16 * 1024**2
ATTACHMENT_FILES: Final = 50
DEFAULT_BYTES: Final = 1024**3  # of a tar, without maxBytes
LARGEST_BYTES: Final = 16 * 1024**3
# What a sidecar has to store artifacts after the program has ended, in seconds.
STORE_SECONDS: Final = 600.0
MOST_FILES: Final = 100_000  # files, folders and links of one artifact
