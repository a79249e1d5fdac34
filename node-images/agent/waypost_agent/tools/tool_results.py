"""What a tool gave, as a model can be shown it. Pure: no I/O.

A call that ended well never counts as failed because of the form of its result: what the model
cannot take is described in text.
"""

import base64
import binascii
import contextlib
import json
import math
import re
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from waypost_node import user_code

from waypost_agent.tools import media

_KIB: Final = 1024
# Media types of texts, which some servers send as binary data.
_TEXTS: Final = re.compile(
    r"text/|application/([\w.-]+\+)?(json|xml|yaml|x-yaml|toml|javascript)\b", re.I
)
# How a media type is named in ModelProvider models[].inputs.
_INPUTS: Final = (("image/", "Image"), ("audio/", "Audio"), ("application/pdf", "PDF"))
_OF_URLS: Final = str.maketrans("-_", "+/")
# The keywords of an outputSchema that a library generates around a result that is not an object.
_RESULT: Final = "result"
_MARK: Final = "x-fastmcp-wrap-result"
_OF_WRAPPER: Final = frozenset(
    {"type", "properties", "required", "title", "$defs", "$schema", _MARK}
)
# Structured content that is not an object stands under this key: the library takes only objects.
BARE: Final = "waypost.dev/structured-content"


class Media(NamedTuple):
    """A picture, a sound or a document of a result; `data` is base64."""

    type: str
    data: str

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return len(self.data) * 3 // 4 - self.data[-2:].count("=")


class Content(NamedTuple):
    """A result: JSON, and media in the order in which they came. `cut`: the value is a part."""

    value: Any
    media: tuple[Media, ...] = ()
    cut: bool = False


def from_python(result: Any) -> Content:
    """The result of a function."""
    return Content(as_json(user_code.jsonable(result)))


def as_json(value: Any) -> Any:
    """The value as JSON; what is none is described in its place."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        # Lone surrogates are no text that any provider takes.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {as_json(key if isinstance(key, str) else str(key)): as_json(item)
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{_size(len(value))} of binary data, not shown]"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"[a {type(value).__name__}, which is not JSON and cannot be shown]"


def from_mcp(content: Sequence[Any], structured: Any, *, output_schema: Any = None) -> Content:
    """The result of a tool of an MCP server: its content blocks and its structured content.

    Texts usually repeat the structured content; those that do not are kept beside it.

    Args:
        content: The content blocks.
        structured: The structured content; None if there is none.
        output_schema: The outputSchema that the server declared for the tool; None if it did not.
    """
    blocks = [_block(each) for each in content]
    if structured is not None:
        value = _unwrapped(structured, output_schema)
        blocks = [each for each in blocks if not _repeats(each, structured, value)]
        blocks.insert(0, value)
    files = tuple(each for each in blocks if isinstance(each, Media))
    values = [as_json(each) for each in blocks if not isinstance(each, Media)]
    if not values:
        return Content("" if files else "(no content)", files)
    return Content(values[0] if len(values) == 1 else values, files)


def shown(
    content: Content, *, inputs: Collection[str], limit: int, gemini: bool = False
) -> Content:
    """The content as a model sees it that takes `inputs` (Image, Audio, PDF) besides text: media
    that it does not take, or that are larger than `limit` bytes, are described."""
    kept: list[Media] = []
    notes: list[str] = []
    for each in content.media:
        kind = input_of(each.type)
        if kind not in inputs:
            notes.append(f"[{each.type}, {_size(each.size)}, not shown]")
        elif len(each.data) > limit:
            size = _size(each.size)
            notes.append(f"[{each.type}, {size}, not shown: maxResultBytes is {limit}]")
        elif (type_ := media.media_type(each.data, gemini=gemini)) is None:
            size = _size(each.size)
            notes.append(f"[{each.type}, {size}, not shown: no model takes this format]")
        else:
            kept.append(Media(type_, each.data))
    if not notes:
        return content._replace(media=tuple(kept))
    values = content.value if isinstance(content.value, list) else [content.value]
    values = [each for each in values if each != ""] + notes
    return Content(values[0] if len(values) == 1 else values, tuple(kept))


def input_of(media_type: str) -> str | None:
    """How a media type is named in models[].inputs; None if it cannot be."""
    named = media_type.lower()
    return next((name for start, name in _INPUTS if named.startswith(start)), None)


def error_text(content: Content) -> str:
    """The content of an error, as one text."""
    values = content.value if isinstance(content.value, list) else [content.value]
    return "\n".join(map(as_text, values))


def as_text(value: Any) -> str:
    """A value as a model reads it: text as it is, else JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unwrapped(structured: Any, output_schema: Any) -> Any:
    """The structured content without an object that a library has put around it."""
    if not isinstance(structured, dict) or len(structured) != 1:
        return structured
    if BARE in structured:
        return structured[BARE]
    wrapped = _RESULT in structured and _is_wrapper(output_schema)
    return structured[_RESULT] if wrapped else structured


def _is_wrapper(schema: Any) -> bool:
    """Whether an outputSchema is one that libraries of MCP generate around a list, a text or a
    number, because structured content is an object: `{"result": ...}`, required, and no more.
    Without such a schema, the tool itself returned an object with the key `result`."""
    if not isinstance(schema, dict) or not set(schema) <= _OF_WRAPPER:
        return False
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict):
        return False
    required = schema.get("required") == [_RESULT] or schema.get(_MARK) is True
    return set(properties) == {_RESULT} and required


def _repeats(block: Any, structured: Any, value: Any) -> bool:
    """Whether a text is the structured content in other words: as JSON, or one item of its list."""
    if not isinstance(block, str):
        return False
    items = value if isinstance(value, list) else []
    if block == value or block in items or block.strip() == "":
        return True
    try:
        found = json.loads(block)
    except (ValueError, RecursionError):
        return block == str(value)
    return found in (structured, value) or found in items


def _block(block: Any) -> Any:
    """A content block as text or media, by the names that all kinds of blocks share."""
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            return _media(block.mime_type, block.data, block.type)
        case "resource":
            resource = block.resource
            text = getattr(resource, "text", None)
            if text is not None:
                return text
            return _media(resource.mime_type or "application/octet-stream", resource.blob,
                          str(resource.uri))  # fmt: skip
        case "resource_link":
            about = [block.title or block.name, block.description, block.mime_type]
            return f"[link: {block.uri} ({', '.join(each for each in about if each)})]"
    return f"[content of type {block.type}, not shown]"


def _media(type_: str, data: str, what: str) -> Any:
    data = _standard(data)
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return f"[{what}: {type_} that cannot be decoded, not shown]"
    if _TEXTS.match(type_):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode()
    return Media(type_, data)


def _standard(data: str) -> str:
    """The base64 of the protocol for other forms of it: a data URL, lines, the alphabet of URLs,
    no padding."""
    if data.startswith("data:"):
        data = data.partition(",")[2]
    text = "".join(data.split()).translate(_OF_URLS).rstrip("=")
    return text + "=" * (-len(text) % 4)


def _size(count: int) -> str:
    return f"{count} bytes" if count < _KIB else f"{math.ceil(count / _KIB)} KiB"
