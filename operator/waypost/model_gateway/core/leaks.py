"""Finds keys in answers to http nodes: outputs are stored unencrypted, in the status of the run."""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 6  # characters; a shorter key would match innocent text
MARK: Final = "[redacted]"


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Keys in every form in which a server may repeat them, the longest first. Of a key with
    spaces also each part: the first word may be none of it."""
    parts = {part for secret in secrets for part in (secret, *secret.split())}
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


def _forms(secret: str) -> set[str]:
    as_json = json.dumps(secret)[1:-1]
    as_base64 = base64.b64encode(secret.encode()).decode()
    return {secret, as_json, as_base64, quote(secret, safe=""), quote_plus(secret)}
