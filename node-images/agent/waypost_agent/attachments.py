"""The attachments of the node: files of artifacts that are sent with the prompt.

The init container has unpacked them and compared their digests. A file that a model of the node
does not take ends the attempt: a model that answers without it would look as if it had seen it.
"""

import base64
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic_ai.messages import BinaryContent, UserContent
from waypost.protocol.artifacts.limits import (
    ATTACHMENT_BYTES,
    ATTACHMENT_FILES,
    ATTACHMENT_VOLUME,
    ATTACHMENTS,
)
from waypost.protocol.artifacts.request import Taken
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.text import printable, shorten
from waypost.protocol.work import WorkFailed

from waypost_agent.agent_request import AgentRequest
from waypost_agent.tools import media
from waypost_agent.tools.tool_results import input_of

_SHOWN: Final = 120  # characters of a name
_HEAD: Final = 96  # bytes that say what a file is


def prompt_of(request: Request, work: AgentRequest) -> str | Sequence[UserContent]:
    """The prompt with its attachments, each after its name. Raises WorkFailed."""
    parts: list[UserContent] = [work.prompt]
    size = 0
    for at, (name, path) in enumerate(_files(request)):
        if at == ATTACHMENT_FILES:
            raise _failed(f"there are more than {ATTACHMENT_FILES} files; attach fewer")
        if path.is_symlink():
            raise _failed(f"{name} is a link; put the file itself into the artifact")
        size += path.stat().st_size
        if size > ATTACHMENT_BYTES:
            raise _failed(f"the files have more than {ATTACHMENT_BYTES} bytes; attach smaller ones")
        data = path.read_bytes()
        parts += [f"{name}:", BinaryContent(data, media_type=_media_type(name, data, work))]
    return parts if len(parts) > 1 else work.prompt


def topic_of(request: Request) -> list[Json]:
    """What a journal has of the attachments: digests. Empty without attachments."""
    found: list[Json] = [[one.volume, one.folder, one.content.digest] for one in _attached(request)]
    return [{"attachments": found}] if found else []


def _media_type(name: str, data: bytes, work: AgentRequest) -> str:
    head = base64.b64encode(data[:_HEAD]).decode()
    gemini = all(model.type == "Google" for model in work.models)
    found = media.media_type(head, gemini=gemini)
    if found is None:
        raise _failed(
            f"{name} is no file that models take (PNG, JPEG, GIF, WebP, PDF, WAV or MP3); remove "
            "it from the artifact, or convert it"
        )
    kind = input_of(found)
    for model in work.models:
        if kind not in model.inputs:
            raise _failed(
                f"{name} is {found}, and model {model.name} takes {_listed(model.inputs)}; use "
                f"another model, or add {kind} to models[].inputs of its ModelProvider if it can"
            )
    return found


def _listed(inputs: Collection[str]) -> str:
    return ", ".join(["text", *sorted(inputs)])


def _attached(request: Request) -> list[Taken]:
    taken = request.artifacts.taken if request.artifacts is not None else ()
    return [one for one in taken if one.volume.startswith(ATTACHMENT_VOLUME)]


def _files(request: Request) -> Iterator[tuple[str, Path]]:
    """All files of all attachments, in the order of the spec, then by name."""
    for taken in _attached(request):
        number = taken.volume.removeprefix(ATTACHMENT_VOLUME)
        root = Path(os.environ.get("WAYPOST_ATTACHMENTS", ATTACHMENTS), number, taken.folder)
        found = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
        if not found:
            raise _failed(f"attachment {number} has no files; write one before the node ends")
        for path in found:
            name = path.relative_to(root.parent if taken.folder else root)
            yield shorten(printable(str(name)), _SHOWN), path


def _failed(text: str) -> WorkFailed:
    return WorkFailed(Reason.INPUT_INVALID, f"agent.attachments: {text}")
