"""Finds keys in answers to http nodes and of tool servers: outputs are stored unencrypted, in the
status of the run."""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 6  # characters; a shorter key would match innocent text
MARK: Final = "[redacted]"


def forms_of(secrets: Iterable[str], *, split: bool = True) -> tuple[str, ...]:
    """Keys in every form in which a server may repeat them, the longest first. With `split`, of a
    key with spaces also each part: the first word may be none of it."""
    listed = set(secrets)
    parts = listed | {part for secret in listed if split for part in secret.split()}
    found = {form for part in parts for form in _forms(part)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True))


def redacted(text: str, forms: Iterable[str]) -> str:
    """The text with MARK in place of every form; `forms` as `forms_of` orders them."""
    for form in forms:
        text = text.replace(form, MARK)
    return text


class Leaks:
    """Looks for keys in an answer that passes in pieces."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = [form.encode() for form in forms]
        self._overlap = max(map(len, self._forms), default=1) - 1
        self._rest = b""

    def finds(self, piece: bytes) -> bool:
        """Whether a key ends in the next piece of the answer."""
        if not self._forms:
            return False
        text = self._rest + piece
        self._rest = text[-self._overlap :] if self._overlap else b""
        return any(form in text for form in self._forms)


class Redaction:
    """Replaces keys in an answer that passes in pieces. Of a piece only an end with which a key may
    begin is held back, so an event that has arrived is passed on."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = [form.encode() for form in forms]
        self._longest = max(map(len, self._forms), default=1)
        self._rest = b""

    def next(self, piece: bytes) -> bytes:
        """What may be passed on after the next piece."""
        if not self._forms:
            return piece
        text = self._replaced(self._rest + piece)
        held = self._held(text)
        self._rest = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> bytes:
        """What is left at the end of the answer."""
        rest, self._rest = self._rest, b""
        return rest

    def _replaced(self, text: bytes) -> bytes:
        for form in self._forms:
            text = text.replace(form, MARK.encode())
        return text

    def _held(self, text: bytes) -> int:
        """The length of the longest end of a text with which a key begins."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(form.startswith(end) for form in self._forms):
                return length
        return 0


def _forms(secret: str) -> set[str]:
    as_json = json.dumps(secret)[1:-1]
    as_base64 = base64.b64encode(secret.encode()).decode()
    return {secret, as_json, as_base64, quote(secret, safe=""), quote_plus(secret)}
