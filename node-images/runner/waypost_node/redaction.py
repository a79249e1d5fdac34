"""Removes secrets from texts."""

import base64
import json
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from waypost.protocol.text import printable

MARK: Final = "[redacted]"
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
