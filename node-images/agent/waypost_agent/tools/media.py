"""Pictures, sounds and documents as models take them. Pure: no I/O.

A provider refuses the whole conversation for one file that it cannot read, and would refuse it
again after every replay: the first bytes of a file decide, not what it claims to be.
"""

import base64
from typing import Final

_HEAD: Final = 64  # bytes of the content that are looked at
_RIFF: Final = b"RIFF"
# Media types that all providers take, by the first bytes of their content.
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)
# Sounds that only Gemini takes.
_GEMINI: Final = (
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"FORM", "audio/aiff"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
)


def media_type(data: str, *, gemini: bool) -> str | None:
    """The media type of a content in base64 that a model takes, by its first bytes; None for any
    other. `gemini`: all models of the node are Google's."""
    head = base64.b64decode(data[: _HEAD * 4 // 3 // 4 * 4])
    if head.startswith(_RIFF):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    known = _MAGIC + _GEMINI if gemini else _MAGIC
    return next((type_ for start, type_ in known if head.startswith(start)), None)
