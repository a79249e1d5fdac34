"""How many tokens a picture, a sound or a document may cost. Agent and model gateway share it."""

from typing import Final

_PICTURE: Final = 1600  # the most that Anthropic charges, and about what others do
_PAGE: Final = 3000  # of a PDF: its text, and the picture of it
_BYTES_A_PAGE: Final = 50_000
_SOUND_BYTES: Final = 128  # a token; 32 tokens a second, and 32 kbit/s at least


def media_tokens(media_type: str, size: int) -> int:
    """An estimate of the input tokens of one file.

    Args:
        media_type: Its media type; what is no picture and no sound counts as a PDF.
        size: Its bytes.
    """
    if media_type.startswith("image/"):
        return _PICTURE
    if media_type.startswith("audio/"):
        return max(size // _SOUND_BYTES, 1)
    return _PAGE * (1 + size // _BYTES_A_PAGE)
