"""Removes secrets from texts, and finds them in outputs."""

import base64
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from waypost.protocol.ijson import Json
from waypost.protocol.request import Request
from waypost.protocol.text import printable

MARK: Final = "[redacted]"
_LARGEST: Final = 64 * 1024  # bytes of a file that is looked for
_MOST: Final = 100  # files of a folder
SHORTEST: Final = 6  # characters; a shorter one would match innocent text


class Redactor:
    """Finds secrets in every form in which a server may repeat them (JSON, base64, URL)."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first: one secret may be part of another's form.
        self._forms = sorted((f for f in forms if len(f) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with MARK in place of every secret."""
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def finds(self, text: str) -> bool:
        """Whether the text contains a secret."""
        return any(form in text for form in self._forms)


def public(text: str, redact: Callable[[str], str], limit: int) -> str:
    """The words of a server as messages may have them: without a secret, on one line, and at most
    `limit` characters."""
    # Redacted before it is cut: part of a secret would not be found.
    return printable(" ".join(redact(text).split()))[:limit]


def _forms(secret: str) -> set[str]:
    as_json = json.dumps(secret)[1:-1]
    as_base64 = base64.b64encode(secret.encode()).decode()
    return {secret, as_json, as_base64, quote(secret, safe=""), quote_plus(secret)}


def secret_in_output(
    request: Request, output: Json, *, variable: str = "", folders: str = ""
) -> str | None:
    """Why the run cannot remember the output: it has the value of a secret of the pod (S750); None
    if it has none.

    Args:
        request: The request, which names the secrets.
        output: The output.
        variable: What stands before the names of the variables in this container.
        folders: Where this container has the folders, by their number; "" for their own places.
    """
    if not request.secret_env and not request.secret_folders:
        return None
    text = json.dumps(output, ensure_ascii=False)
    for place, value in _values(request, variable, folders):
        if Redactor([value]).finds(text):
            return (
                f"the output contains the value of a Secret ({place}), and this run remembers "
                "what the node returns; leave the value out of the output"
            )
    return None


def _values(request: Request, variable: str, folders: str) -> Iterator[tuple[str, str]]:
    """(place, value) of each secret; a value without spaces and line breaks around it."""
    for name in request.secret_env:
        yield f"env {name}", os.environ.get(variable + name, "").strip()
    for number, folder in enumerate(request.secret_folders):
        here = f"{folders}/{number}" if folders else folder
        for path in _files(here):
            yield folder + path[len(here) :], _content(path).strip()


def _files(place: str) -> list[str]:
    """The keys of a mounted Secret: links beside the hidden folders of the kubelet. With a subPath
    the place is the file itself."""
    if os.path.isfile(place):  # noqa: PTH113 - the import of pathlib delays the user's code
        return [place]
    try:
        names = sorted(name for name in os.listdir(place) if not name.startswith(".."))  # noqa: PTH208
    except OSError:
        return []
    return [f"{place}/{name}" for name in names[:_MOST]]


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = file.read(_LARGEST + 1)
    except OSError:
        return ""
    return found.decode("utf-8", "ignore") if len(found) <= _LARGEST else ""
